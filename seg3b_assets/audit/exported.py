"""An exported tree, ours or not: whose it is, which datasets and inputs it holds.

Nothing in it is believed. Who the run is, several witnesses say (its receipt, the gate receipt, upstream's
receipt, the paths); the majority is taken, so that one forged witness is found out instead of leading astray.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets.audit.checks import audited_datasets, bundle_documents, later_datasets
from seg3b_assets.audit.listing import Listing, Paths
from seg3b_assets.audit.tree import read_bounded
from seg3b_assets.contracts import DatasetContract, contract
from seg3b_assets.contracts.artefact_registry import sealed_own_id
from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets.laws.identity import RunIdentity

RUN_RECEIPT: Final = "run_receipt.json"
POLICIES: Final = "inputs/policies"
UPSTREAM: Final = "inputs/upstream"
SEALED: Final = "sealed_inputs_3B"
GATE: Final = "s0_gate_receipt_3B"
BUNDLE: Final = "validation_bundle_3B"
INPUTS: Final = "inputs"
FLAG: Final = "passed_flag_3B"
# An upstream bundle is sealed by its flag, which an export carries; the bundle itself stays with its root.
LEFT_BEHIND: Final = "bundle"
# Sealed, and in no export: surfaces may be hundreds of times the run, and nothing of it depends on sites.
NOT_CARRIED: Final = frozenset(
    {"tile_weights", "tile_index", "tile_bounds", "site_locations", "site_timezones"}
)
_FIELDS: Final = ("seed", "parameter_hash", "manifest_fingerprint", "created_utc")
_TOKEN: Final = re.compile(r"(?:^|/)(seed|parameter_hash|manifest_fingerprint|run_id)=([^/]+)(?=/)")

Witnesses = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class ExportedTree:
    """What a folder holds, as far as can be told without judging it.

    Attributes:
        listing: every file.
        identity: who the majority of witnesses say the run is; None when nobody says.
        witnesses: identity fields by witness, for the judgement.
        receipt: run_receipt.json; None when it is not there or no JSON object.
        sealed: rows of sealed_inputs_3B that name a path; empty when they cannot be read.
    """

    listing: Listing
    identity: RunIdentity | None
    witnesses: Witnesses
    receipt: Mapping[str, Any] | None
    sealed: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, root: Path) -> ExportedTree:
        """Look at a folder. Raises OSError when it cannot be listed."""
        listing = Listing.of(root.absolute())
        receipt = _object(listing, RUN_RECEIPT)
        witnesses = _witnesses(listing, receipt)
        sealed_bytes = _sealed_bytes(listing, _majority(witnesses, "manifest_fingerprint"))
        identity = _identity(witnesses, receipt, sealed_bytes)
        rows = _rows(sealed_bytes)
        return cls(listing, identity, witnesses, receipt, rows)

    def datasets(self) -> dict[str, Path]:
        """Path of every dataset of the states that lies where its contract says."""
        if self.identity is None:
            return {}
        ids = (*audited_datasets(), *bundle_documents(), BUNDLE, FLAG, *later_datasets())
        held = {name: contract(name).relative_path(self.identity) for name in ids}
        return {
            name: self.listing.root / path.rstrip("/")
            for name, path in held.items()
            if self._holds(contract(name), path)
        }

    def _holds(self, declared: DatasetContract, path: str) -> bool:
        if declared.format in ("parquet_parts", "directory"):
            return self.listing.sound_folder(path)
        return self.listing.is_file(path)

    def inputs(self, upstream: Path | None) -> dict[str, Path]:
        """Path of every sealed input that is at hand: in the tree, or else below ``upstream``."""
        found: dict[str, Path] = {}
        for row in self.sealed:
            path, logical_id = row["path"].rstrip("/"), sealed_own_id(row)
            if row["artefact_kind"] == "policy":
                inside = f"{POLICIES}/{path}"
            else:
                inside = f"{UPSTREAM}/{path}"
            if row["artefact_kind"] == LEFT_BEHIND:
                if upstream is not None and (upstream / path).exists():
                    found[logical_id] = upstream / path
            elif self.listing.is_file(inside) or self.listing.sound_folder(inside):
                found[logical_id] = self.listing.root / inside
            elif upstream is not None and row["artefact_kind"] != "policy" and (upstream / path).exists():
                found[logical_id] = upstream / path
        return found

    @property
    def is_export(self) -> bool:
        """Whether it is one of ``seg3b export``, and no bare tree of datasets: its receipt or its inputs say so."""
        listed = self.receipt is not None and "files" in self.receipt
        return listed or self.listing.paths.any_below(INPUTS)

    def lacking(self) -> list[str]:
        """What every export carries and this tree does not: the receipt, the tiles in use, and its inputs."""
        carried = [RUN_RECEIPT, contract("tile_excerpt").path]
        for row in self.sealed:
            if row["artefact_kind"] != LEFT_BEHIND and sealed_own_id(row) not in NOT_CARRIED:
                base = POLICIES if row["artefact_kind"] == "policy" else UPSTREAM
                carried.append(f"{base}/{row['path']}")
        places = self._told()
        ordered = Paths(places)
        return [path for path in carried if path not in places and not ordered.any_below(path)]

    def _told(self) -> set[str]:
        """Paths of which something is there, or whose absence is told where the receipt's list is judged."""
        listed = (self.receipt or {}).get("files")
        rows = listed if isinstance(listed, list) else []
        named = (str(row.get("path")) for row in rows if isinstance(row, dict))
        return {*self.listing.files, *self.listing.strange, *named}

    def expected_paths(self) -> tuple[set[str], set[str]]:
        """Files the tree may hold, and folders any file of which it may hold."""
        files: set[str] = {RUN_RECEIPT, contract("tile_excerpt").path}
        folders: set[str] = set()
        for name in (
            (*audited_datasets(), *bundle_documents(), BUNDLE, FLAG, *later_datasets())
            if self.identity
            else ()
        ):
            declared = contract(name)
            path = declared.relative_path(self.identity)
            (folders if path.endswith("/") else files).add(path)
        for row in self.sealed:
            if row["artefact_kind"] == LEFT_BEHIND:
                continue
            base = POLICIES if row["artefact_kind"] == "policy" else UPSTREAM
            path = f"{base}/{row['path']}"
            (folders if path.endswith("/") else files).add(path)
        return files, folders


def _object(listing: Listing, path: str) -> Mapping[str, Any] | None:
    try:
        value = orjson.loads(read_bounded(listing.root / path)) if listing.is_file(path) else None
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _witnesses(listing: Listing, receipt: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    upstream = _object(listing, f"{UPSTREAM}/{RUN_RECEIPT}")
    for name, document in ((RUN_RECEIPT, receipt), ("upstream's run_receipt.json", upstream)):
        if document is not None:
            found[name] = {field: document[field] for field in _FIELDS if field in document}
    tokens: dict[str, Counter[str]] = {}
    for path in listing.files:
        for name, value in _TOKEN.findall(path) if not path.startswith("inputs/") else ():
            tokens.setdefault(name, Counter())[value] += 1
    if (gate := _gate_receipt(listing, tokens.get("manifest_fingerprint", Counter()))) is not None:
        found[GATE] = {field: gate[field] for field in _FIELDS if field in gate}
        if "verified_at_utc" in gate:
            found[GATE]["created_utc"] = gate["verified_at_utc"]
    paths: dict[str, Any] = {name: counted.most_common(1)[0][0] for name, counted in tokens.items()}
    if "seed" in paths:
        text = paths["seed"]
        paths["seed"] = int(text) if text.isascii() and text.isdigit() and len(text) < 21 else text
    if paths:
        found["paths"] = paths
    return found


def _gate_receipt(listing: Listing, worlds: Counter[str]) -> Mapping[str, Any] | None:
    """The gate receipt of the world that most paths name and that has one. The others are not read.

    A run has one; how many more a tree may have, each as large as a document may be, nobody bounds.
    """
    for world, _ in worlds.most_common():
        path = contract(GATE).path.format(manifest_fingerprint=world)
        if listing.is_file(path):
            return _object(listing, path)
    return None


def _majority(witnesses: Witnesses, field: str) -> Any:
    """What most witnesses say; the first of equals."""
    said = [repr(one[field]) for one in witnesses.values() if field in one]
    if not said:
        return None
    most = Counter(said).most_common(1)[0][0]
    return next(one[field] for one in witnesses.values() if field in one and repr(one[field]) == most)


def _sealed_bytes(listing: Listing, fingerprint: Any) -> bytes | None:
    path = contract(SEALED).path.format(manifest_fingerprint=fingerprint)
    try:
        return read_bounded(listing.root / path) if listing.is_file(path) else None
    except OSError:
        return None


def _identity(
    witnesses: Witnesses, receipt: Mapping[str, Any] | None, sealed: bytes | None
) -> RunIdentity | None:
    """The majority's identity; of two sealed-inputs digests, the one whose run_id the paths carry."""
    said = {field: _majority(witnesses, field) for field in _FIELDS}
    digests = [sha256_hex(sealed)] if sealed is not None else []
    if receipt is not None and isinstance(receipt.get("sealed_inputs_digest"), str):
        digests.append(receipt["sealed_inputs_digest"])
    candidates = [one for one in (_run_identity(said, digest) for digest in digests) if one is not None]
    run_id = witnesses.get("paths", {}).get("run_id")
    fitting = [one for one in candidates if one.run_id == run_id]
    return next(iter([*fitting, *candidates]), None)


def _run_identity(said: Mapping[str, Any], digest: str) -> RunIdentity | None:
    try:
        identity = RunIdentity(**said, sealed_inputs_digest=digest)
        return identity if len(bytes.fromhex(digest)) == 32 and identity.run_id else None
    except (TypeError, ValueError):
        return None


def _rows(sealed: bytes | None) -> tuple[Mapping[str, Any], ...]:
    try:
        rows = orjson.loads(sealed) if sealed is not None else []
    except ValueError:
        return ()
    if contract(SEALED).check_document(rows):
        return ()  # also refuses a path that is absolute or climbs
    return tuple(rows)


def disagreements(witnesses: Witnesses, identity: RunIdentity) -> Iterable[tuple[str, str, Any, Any]]:
    """(witness, field, expected, found) of whoever says otherwise."""
    for name, said in witnesses.items():
        for field, value in said.items():
            expected = getattr(identity, field)
            if value != expected or type(value) is not type(expected):
                yield name, field, expected, value
