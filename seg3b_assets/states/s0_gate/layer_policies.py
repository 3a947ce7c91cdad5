"""Policies of segments 2A and 2B that an upstream root carries: sealed, and compared with the segment's own.

The segment goes by its own policies. Where the root has the layer's file for the same matter, its bytes are sealed
under the published id, and every value that both state and state differently is named in the receipt's notes: a
router that follows the layer's file and one that follows ours would then not do the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from seg3b_assets.contracts.artefact_registry import LAYER_POLICIES, by_own_id
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.policies import PolicySet

Read = Callable[[Any], object]
_MAX_BYTES: Final = 1 << 20
_SHOWN: Final = 200


def _at(*path: str) -> Read:
    def read(document: Any) -> object:
        for key in path:
            document = document.get(key) if isinstance(document, Mapping) else None
        return document

    return read


def _edge_label(document: Any) -> object:
    """Label of the substream that picks virtual edges."""
    streams = document.get("substreams") if isinstance(document, Mapping) else None
    found = [
        one.get("label")
        for one in streams or ()
        if isinstance(one, Mapping) and one.get("id") == "virtual_edge"
    ]
    return found[0] if len(found) == 1 else None


def _country_zones(document: Any) -> object:
    """Zone by country of the overrides of country scope; None where there are none."""
    rows = document if isinstance(document, list) else ()
    found = {
        str(row["target"]): str(row["tzid"])
        for row in rows
        if isinstance(row, Mapping) and row.get("scope") == "country" and {"target", "tzid"} <= row.keys()
    }
    return dict(sorted(found.items())) or None


# What the layer's file calls what the segment's policy calls by this key.
_SAID: Final[Mapping[str, Mapping[str, Read]]] = {
    "alias_layout": {
        "layout_version": _at("layout_version"),
        "quantised_bits": _at("quantised_bits"),
        "probability_bits": _at("record_layout", "prob_qbits"),
        "alignment_bytes": _at("alignment_bytes"),
        "endianness": _at("endianness"),
    },
    "route_rng": {"engine": _at("algorithm"), "substream_label": _edge_label},
    "tz_nudge": {"epsilon_deg": _at("epsilon_degrees")},
    "tz_overrides": {"overrides": _country_zones},
}


def carried_policies(root: Path) -> Iterator[tuple[str, Path]]:
    """The segment's policy id and the layer's file, for each the root has."""
    registry = by_own_id()
    for policy_id in LAYER_POLICIES:
        path = root / registry[policy_id].path
        if path.is_file():
            yield policy_id, path


def differences(root: Path, policies: PolicySet) -> list[str]:
    """A sentence per value that the layer's file and the segment's policy both state and state differently.

    Raises:
        Seg3BError: ``INPUT_SCHEMA_MISMATCH`` for a file that is no JSON or YAML.
    """
    found = []
    for policy_id, path in carried_policies(root):
        document = _read(path)
        for key, read in _SAID[policy_id].items():
            theirs, ours = read(document), _ours(policies, policy_id, key)
            if theirs is not None and theirs != ours:
                name = by_own_id()[policy_id].logical_id
                found.append(
                    f"{name} of the root says {key} {_told(theirs)}; {policy_id}.yaml, in force, {_told(ours)}"
                )
    return found


def _ours(policies: PolicySet, policy_id: str, key: str) -> object:
    if policy_id == "tz_overrides":
        return {
            row.country_iso: row.tzid
            for row in sorted(policies.tz_overrides.overrides, key=lambda one: one.country_iso)
        }
    return getattr(getattr(policies, policy_id), key)


def _told(value: object) -> str:
    """A value in plain words, without quotes, short, printable: the file is a stranger's."""
    if isinstance(value, Mapping):
        value = ", ".join(f"{key} {entry}" for key, entry in value.items()) or "nothing"
    text = "".join(
        one if one.isascii() and one.isprintable() and one not in '"\\' else "?" for one in str(value)
    )
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as handle:
            data = handle.read(_MAX_BYTES)
        return orjson.loads(data) if path.suffix == ".json" else yaml.safe_load(data)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise Seg3BError(
            "S0",
            "INPUT_SCHEMA_MISMATCH",
            "layer_policy_readable",
            str(path),
            "Restore the policy as its segment published it, or take it out of the root: the segment goes by its own.",
            {"reason": str(error)[:200]},
        ) from error
