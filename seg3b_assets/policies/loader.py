"""Reads the policy folder once: bytes, digest, YAML, model, then what must hold between policies.

A policy that cannot be used fails here, by file, key and reason, as ``E3B_S0_POLICY_SCHEMA_INVALID``;
a file that cannot be opened is ``E3B_S0_INPUT_OPEN_FAILED``. What a folder's files are, ``folders`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets.policies.certification import Certification
from seg3b_assets.policies.classification import McChannelRules
from seg3b_assets.policies.country_weights import CdnCountryWeights
from seg3b_assets.policies.edge_topology import EdgeTopology
from seg3b_assets.policies.folders import PolicyFolder, Source, digest_again
from seg3b_assets.policies.gates import Vocabulary
from seg3b_assets.policies.overlay import Overlaid
from seg3b_assets.policies.policy_model import Policy
from seg3b_assets.policies.refusals import Refusal, from_validation, from_yaml, policy_error
from seg3b_assets.policies.routing import AliasLayout, RouteRng, VirtualRoutingFields
from seg3b_assets.policies.settlement import Settlement
from seg3b_assets.policies.strict_yaml import Document, KeyPath, YamlRefusedError, parse_document
from seg3b_assets.policies.validation import VirtualValidation
from seg3b_assets.policies.zones import TzNudge, TzOverrides

P = TypeVar("P", bound=Policy)

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
        path: where it was read; of an overlaid one, the file that says what is changed.
        relative_path: POSIX path below the policy folder.
        sha256: hex digest of the bytes.
        version: the policy's semantic version.
        content: the bytes.
        overlaid: whether an overlay made the bytes, so that no file has them.
    """

    policy_id: str
    path: Path
    relative_path: str
    sha256: str
    version: str
    content: bytes = field(repr=False)
    overlaid: bool = False


@dataclass(frozen=True)
class PolicySet:
    """All policies of one folder, the files they came from by policy id, and what an overlay makes of its base."""

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
    overlaid: Overlaid | None = None

    @property
    def digest_again(self) -> Callable[[Path], str]:
        """How a sealed input is hashed again, the policies that an overlay makes among them."""
        return digest_again({file.path for file in self.files.values() if file.overlaid})


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
    try:
        # What lacks a policy is an export, which a stranger may have made.
        here = PolicyFolder(folder, overlays=lacking is None)
        elsewhere = None if lacking is None else PolicyFolder(lacking)
    except Seg3BError as error:
        return None, [error]
    errors = list(here.strangers(POLICY_MODELS))
    if not folder.is_dir():
        return None, errors
    policies: dict[str, Any] = {}
    files: dict[str, PolicyFile] = {}
    documents: dict[str, Document] = {}
    for policy_id, model in POLICY_MODELS.items():
        holder = here if elsewhere is None or (folder / f"{policy_id}.yaml").exists() else elsewhere
        try:
            source = holder.read(policy_id)
            policies[policy_id] = _validated(f"{policy_id}.yaml", source.document, model, vocabulary)
        except Seg3BError as error:
            errors.append(error)
            continue
        files[policy_id] = _file(policy_id, source, policies[policy_id].version)
        documents[policy_id] = source.document
    if errors:
        return None, errors
    loaded = PolicySet(**policies, files=MappingProxyType(files), overlaid=here.overlaid(POLICY_MODELS))
    errors = list(_contradictions(loaded, documents))
    return (None if errors else loaded), errors


def overlaid(folder: Path) -> Overlaid | None:
    """What an overlay changes of its base; None of a folder that is none. Nothing is validated.

    Raises:
        Seg3BError: of what cannot be read or merged.
    """
    return PolicyFolder(folder).overlaid(POLICY_MODELS)


def load_policy(folder: Path, model: type[P], vocabulary: Vocabulary) -> P:
    """One policy of a folder, whatever the others are like.

    Raises:
        Seg3BError: as ``load_policies``.
    """
    [policy_id] = [name for name, known in POLICY_MODELS.items() if known is model]
    source = PolicyFolder(folder).read(policy_id)
    return _validated(f"{policy_id}.yaml", source.document, model, vocabulary)


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
    return _validated(file, document, model, vocabulary), document


def _validated(file: str, document: Document, model: type[P], vocabulary: Vocabulary) -> P:
    try:
        return model.model_validate(document.value, context=vocabulary)
    except ValidationError as error:
        raise policy_error(file, from_validation(error, model, document)) from None


def _file(policy_id: str, source: Source, version: str) -> PolicyFile:
    digest = sha256_hex(source.content)
    name = f"{policy_id}.yaml"
    return PolicyFile(policy_id, source.path, name, digest, version, source.content, source.overlaid)


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
