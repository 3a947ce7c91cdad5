"""What a policy of segments 2A and 2B says of the matters the segment has policies for, and says differently.

The segment goes by its own policies. A router that follows the layer's file for the same matter and one that follows
ours would then not do the same, so every difference is a sentence of the gate receipt's notes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from seg3b_assets.laws.plain_files import open_plain
from seg3b_assets.laws.strict_json import parse_once
from seg3b_assets.policies.loader import PolicySet
from seg3b_assets.policies.strict_yaml import MAX_BYTES, YamlRefusedError, parse_foreign

Read = Callable[[Any], object]
_SHOWN: Final = 200
_WORD_BITS: Final = 64


def _at(*path: str) -> Read:
    def read(document: Any) -> object:
        for key in path:
            document = document.get(key) if isinstance(document, Mapping) else None
        return document

    return read


def _edge_label(document: Any) -> object:
    """Label of the substream that picks virtual edges."""
    streams = _at("substreams")(document)
    found = [
        one.get("label")
        for one in (streams if isinstance(streams, list) else ())
        if isinstance(one, Mapping) and one.get("id") == "virtual_edge"
    ]
    return found[0] if len(found) == 1 else None


def _country_zones(document: Any) -> object:
    """Zone by country of the overrides of country scope; None where there are none."""
    rows = document if isinstance(document, list) else ()
    found = {
        _plain(row["target"]): _plain(row["tzid"])
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


def layer_document(path: Path) -> Any:
    """The document of a layer's file, JSON or YAML by its suffix.

    Raises:
        OSError: for a file that cannot be read.
        ValueError: for one that is no such document, or too large a one, in words.
    """
    with open_plain(path) as handle:
        data = handle.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"the file has more than {MAX_BYTES} bytes")
    if path.suffix == ".json":
        return parse_once(data)
    try:
        return parse_foreign(data)
    except YamlRefusedError as error:
        where = "" if error.line is None else f"line {error.line}: "
        raise ValueError(f"{where}{str(error.value)[:_SHOWN]} where {error.allowed} should be") from error


def policy_differences(policy_id: str, published_id: str, document: Any, policies: PolicySet) -> list[str]:
    """A sentence per value that the layer's file and the segment's policy both state and state differently.

    Args:
        policy_id: the segment's. published_id: what the layer calls its own. document: the layer's.
    """
    found = []
    for key, read in _SAID[policy_id].items():
        theirs, ours = read(document), _ours(policies, policy_id, key)
        if theirs is not None and theirs != ours:
            found.append(
                f"{published_id} of the root says {key} {_told(theirs)}; {policy_id}.yaml, in force, {_told(ours)}"
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
        value = ", ".join(f"{_plain(key)} {_plain(entry)}" for key, entry in value.items()) or "nothing"
    text = "".join(
        one if one.isascii() and one.isprintable() and one not in '"\\' else "?" for one in _plain(value)
    )
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _plain(value: object) -> str:
    """A scalar as text; anything else by its type, for a list that holds itself a thousandfold has no short text."""
    if isinstance(value, int) and value.bit_length() > _WORD_BITS:
        return "a number beyond 64 bits"
    return str(value) if isinstance(value, (str, int, float)) else f"a {type(value).__name__}"
