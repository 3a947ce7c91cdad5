"""Reads the policy folder once: bytes, digest, YAML, model, then what must hold between policies.

A policy that cannot be used fails here, by file, key and reason, as ``E3B_S0_POLICY_SCHEMA_INVALID``;
a file that cannot be opened is ``E3B_S0_INPUT_OPEN_FAILED``. Sub-folders (other policy sets) are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets.laws.plain_files import open_plain
from seg3b_assets.policies.certification import Certification
from seg3b_assets.policies.classification import McChannelRules
from seg3b_assets.policies.country_weights import CdnCountryWeights
from seg3b_assets.policies.edge_topology import EdgeTopology
from seg3b_assets.policies.gates import Vocabulary
from seg3b_assets.policies.policy_model import Policy
from seg3b_assets.policies.refusals import Refusal, from_validation, from_yaml, policy_error
from seg3b_assets.policies.routing import AliasLayout, RouteRng, VirtualRoutingFields
from seg3b_assets.policies.settlement import Settlement
from seg3b_assets.policies.strict_yaml import MAX_BYTES, Document, KeyPath, YamlRefusedError, parse_document
from seg3b_assets.policies.validation import VirtualValidation
from seg3b_assets.policies.zones import TzNudge, TzOverrides

POLICY_MODELS: Final[Mapping[str, type[Policy]]] = MappingProxyType(
    {
        "alias_layout": AliasLayout,
        "cdn_country_weights": CdnCountryWeights,
        "certification": Certification,
        "edge_topology": EdgeTopology,
        "mcc_channel_rules": McChannelRules,
        "route_rng": RouteRng,
        "settlement": Settlement,
        "tz_nudge": TzNudge,
        "tz_overrides": TzOverrides,
        "virtual_routing_fields": VirtualRoutingFields,
        "virtual_validation": VirtualValidation,
    }
)
# Scoring's own numbers are not sealed: changing them must not rerun a state.
SEALED_POLICIES: Final = tuple(policy_id for policy_id in POLICY_MODELS if policy_id != "certification")


@dataclass(frozen=True)
class PolicyFile:
    """The bytes a policy was read from.

    Attributes:
        path: where it was read.
        relative_path: POSIX path below the policy folder.
        sha256: hex digest of the bytes.
        version: the policy's semantic version.
        content: the bytes.
    """

    policy_id: str
    path: Path
    relative_path: str
    sha256: str
    version: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class PolicySet:
    """All policies of one folder, and the files they came from by policy id."""

    alias_layout: AliasLayout
    cdn_country_weights: CdnCountryWeights
    certification: Certification
    edge_topology: EdgeTopology
    mcc_channel_rules: McChannelRules
    route_rng: RouteRng
    settlement: Settlement
    tz_nudge: TzNudge
    tz_overrides: TzOverrides
    virtual_routing_fields: VirtualRoutingFields
    virtual_validation: VirtualValidation
    files: Mapping[str, PolicyFile]


def load_policies(folder: Path, vocabulary: Vocabulary, lacking: Path | None = None) -> PolicySet:
    """Read and validate the eleven policies of ``folder``.

    Args:
        vocabulary: what gates may name.
        lacking: where a policy that ``folder`` lacks is read instead: an exported run carries the sealed ones.

    Raises:
        Seg3BError: ``POLICY_SCHEMA_INVALID`` naming file, key, value and allowed range;
            ``INPUT_OPEN_FAILED`` where a file exists and cannot be read.
    """
    loaded, errors = policies_and_errors(folder, vocabulary, lacking)
    for error in errors:
        raise error
    assert loaded is not None  # nothing was wrong
    return loaded


def policies_and_errors(
    folder: Path, vocabulary: Vocabulary, lacking: Path | None = None
) -> tuple[PolicySet | None, list[Seg3BError]]:
    """The policies of ``folder``, and everything for which ``load_policies`` would refuse them: an error per file.

    Args:
        vocabulary, lacking: as of ``load_policies``.

    Returns:
        None where one of them cannot be used.
    """
    errors = list(_unknown_files(folder))
    if not folder.is_dir():
        return None, errors
    policies: dict[str, Any] = {}
    files: dict[str, PolicyFile] = {}
    documents: dict[str, Document] = {}
    for policy_id, model in POLICY_MODELS.items():
        path = folder / f"{policy_id}.yaml"
        if lacking is not None and not path.exists():
            path = lacking / path.name
        try:
            data = _read(path)
            policies[policy_id], documents[policy_id] = parse_policy(path.name, data, model, vocabulary)
        except Seg3BError as error:
            errors.append(error)
            continue
        version = policies[policy_id].version
        files[policy_id] = PolicyFile(policy_id, path, path.name, sha256_hex(data), version, data)
    if errors:
        return None, errors
    loaded = PolicySet(**policies, files=MappingProxyType(files))
    errors = list(_contradictions(loaded, documents))
    return (None if errors else loaded), errors


def parse_policy(
    file: str, data: bytes, model: type[Policy], vocabulary: Vocabulary
) -> tuple[Policy, Document]:
    """One policy from its bytes; ``file`` is the name errors give.

    Raises:
        Seg3BError: ``POLICY_SCHEMA_INVALID``.
    """
    try:
        document = parse_document(data)
    except YamlRefusedError as error:
        raise policy_error(file, [from_yaml(error)]) from None
    try:
        return model.model_validate(document.value, context=vocabulary), document
    except ValidationError as error:
        raise policy_error(file, from_validation(error, model, document)) from None


def _unknown_files(folder: Path) -> Iterator[Seg3BError]:
    if not folder.is_dir():
        yield Seg3BError(
            "S0",
            "POLICY_SCHEMA_INVALID",
            "policy_folder",
            str(folder),
            "Give a folder that holds the policy files, with --policies or SEG3B_POLICIES.",
            {"file": str(folder), "allowed": "a folder"},
        )
        return
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        yield _unreadable(folder, error)
        return
    for path in paths:
        if path.suffix in {".yaml", ".yml"} and path.is_file() and path.stem not in POLICY_MODELS:
            allowed = f"files of the policies {', '.join(POLICY_MODELS)}"
            yield policy_error(path.name, [Refusal("policy_file_unknown", (), path.name, allowed, None)])


def _read(path: Path) -> bytes:
    if not path.is_file():
        allowed = f"a file {path.name} in the folder"
        raise policy_error(path.name, [Refusal("policy_file_missing", (), None, allowed, None)])
    try:
        with open_plain(path) as handle:
            return handle.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> Seg3BError:
    return Seg3BError(
        "S0",
        "INPUT_OPEN_FAILED",
        "policy_readable",
        str(path),
        "Make the policies readable for the user who runs the segment.",
        {"file": path.name, "reason": error.strerror or str(error)},
    )


def _contradictions(policies: PolicySet, documents: Mapping[str, Document]) -> Iterator[Seg3BError]:
    """What must hold between two policies."""
    found = (*_unknown_countries(policies), *_shared_rules(policies), *_gates_tightened(policies))
    for policy_id, path, value, allowed in found:
        line = documents[policy_id].line(path)
        yield policy_error(f"{policy_id}.yaml", [Refusal("policies_agree", path, value, allowed, line)])


Contradiction = tuple[str, KeyPath, object, str]


def _unknown_countries(policies: PolicySet) -> list[Contradiction]:
    weighted = {country.country_iso for country in policies.cdn_country_weights.countries}
    allowed = "a country that cdn_country_weights holds"
    topology = policies.edge_topology
    hubs = topology.classification_of_merchants.hub_jurisdictions
    found: list[Contradiction] = [
        ("edge_topology", ("classification_of_merchants", "hub_jurisdictions", at), hub, allowed)
        for at, hub in enumerate(hubs)
        if hub not in weighted
    ]
    found += [
        ("settlement", ("seat_rules", at, "jurisdictions", seat, "country_iso"), chosen.country_iso, allowed)
        for at, rule in enumerate(policies.settlement.seat_rules)
        for seat, chosen in enumerate(rule.jurisdictions)
        if chosen.country_iso not in weighted
    ]
    support = topology.country_shares.guards.min_support
    if support > len(weighted):
        path: KeyPath = ("country_shares", "guards", "min_support")
        found.append(("edge_topology", path, support, f"at most the {len(weighted)} countries with a weight"))
    return found


def _shared_rules(policies: PolicySet) -> list[Contradiction]:
    """Rule ids of both rule books: one id would draw one number for two unrelated decisions."""
    channel_rules = {rule.rule_id for rule in policies.mcc_channel_rules.rules}
    allowed = "a rule id mcc_channel_rules does not use"
    return [
        ("settlement", ("seat_rules", at, "rule_id"), rule.rule_id, allowed)
        for at, rule in enumerate(policies.settlement.seat_rules)
        if rule.rule_id in channel_rules
    ]


def _gates_tightened(policies: PolicySet) -> list[Contradiction]:
    """Stretch bands of hard gates that there are not."""
    hard = policies.virtual_validation.hard_gates
    return [
        (
            "certification",
            ("stretch_gates", band, "hard_gates", at),
            gate,
            "a gate that virtual_validation holds",
        )
        for band, rule in policies.certification.stretch_gates.items()
        for at, gate in enumerate(rule.hard_gates)
        if gate not in hard
    ]
