"""What only upstream's root can show (law section 2): it holds what was sealed, and its four gates hold.

A tree carries copies. Whoever forges a copy, its seal and everything that follows from it contradicts nothing in
the tree; the root it was sealed from says otherwise. Each gate is opened again by the law's own table: index,
listing, members' digests, and the flag recomputed from them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from seg3b_assets.audit.checks import tree_check
from seg3b_assets.audit.findings import Findings
from seg3b_assets.audit.sealing import SEGMENTS
from seg3b_assets.audit.tree import read_bounded
from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import sealed_own_id
from seg3b_assets.laws.hashing import file_digest, path_digest, stated_digest
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.plain_files import OutOfReachError, Reach, files_below, open_plain, real_path
from seg3b_assets.laws.strict_json import parse_once

INPUTS: Final = "S0.upstream_inputs"
GATES: Final = "S0.upstream_gates"
RECEIPT: Final = "run_receipt.json"
FLAG_NAME: Final = "_passed.flag"
INDEX_NAME: Final = "index.json"
NO_ROOT: Final = "only upstream's root shows that it published what was sealed: name it with --upstream"
_FLAG: Final = re.compile(rb"sha256_hex = ([a-f0-9]{64})\n?")
_WORLD: Final = ("seed", "parameter_hash", "manifest_fingerprint", "created_utc")
_CHUNK: Final = 1 << 20

Fault = dict[str, Any]


def upstream_of(findings: Findings, root: Path | None, identity: RunIdentity) -> Path | None:
    """The root named, if it is the run's world; whatever is read there otherwise would tell of another one."""
    if root is None:
        findings.skip(NO_ROOT, INPUTS, GATES)
        return None
    try:
        receipt = parse_once(read_bounded(root / RECEIPT))
    except (OSError, ValueError) as error:
        receipt, reason = None, str(error)[:200]
    else:
        reason = "no JSON object"
    if not isinstance(receipt, dict):
        findings.fail(INPUTS, 1, {"file": RECEIPT, "reason": reason})
    else:
        for key in _WORLD:
            expected = getattr(identity, key)
            findings.equal(INPUTS, expected, receipt.get(key), file=RECEIPT, key=key)
    if findings.failed(INPUTS):
        findings.skip("the root named with --upstream is of another world", GATES)
        return None
    return root


@tree_check(
    "S0.upstream_inputs",
    "§2 seal",
    "an input was forged together with its seal",
    code="SEALED_INPUT_DIGEST_MISMATCH",
)
@tree_check(
    "S0.upstream_gates",
    "§2 gates",
    "an upstream bundle does not hold what its flag says",
    code="UPSTREAM_HASH_MISMATCH",
)
def audit_upstream(
    findings: Findings,
    sealed: Sequence[Mapping[str, Any]],
    carried: Mapping[str, Path],
    root: Path,
    identity: RunIdentity,
    reach: Reach,
) -> None:
    """Every sealed input the tree carries against the root's own bytes, and the four bundles behind the flags.

    Args:
        sealed: rows of ``sealed_inputs_3B``.
        carried: path by logical id of inputs at hand; those that lie below ``root`` are judged by their seal.
        root: upstream's root, of the run's world. reach: where its files may lie.
    """
    findings.ok(INPUTS)
    # However many rows name a place, it is read once.
    require, digest = cache(reach.require), cache(path_digest)
    for row in sealed:
        location = root / str(row["path"]).rstrip("/")
        kind = row["artefact_kind"]
        if kind == "policy":
            continue
        try:
            require(location)
            if kind == "bundle" or carried.get(sealed_own_id(row)) == location:
                continue
            found = stated_digest(location) if kind == "gate" else digest(location)
        except OSError as error:
            if kind == "bundle" and not isinstance(error, OutOfReachError):
                continue  # the gates' check speaks of it
            found = f"unreadable: {error.strerror}"
        findings.equal(INPUTS, row["sha256_hex"], found, logical_id=row["logical_id"])
    for segment in SEGMENTS:
        folder = root / gate_folder(segment, identity)
        for fault in bundle_faults(segment, folder, identity):
            findings.fail(GATES, 1, {"segment": segment, **fault})
    findings.ok(GATES)


def gate_folder(segment: str, identity: RunIdentity) -> str:
    """Where a segment's bundle lies below the root."""
    return str(Path(contract(f"validation_index_{segment}").relative_path(identity)).parent)


def bundle_faults(segment: str, folder: Path, identity: RunIdentity) -> Iterator[Fault]:
    """What an upstream bundle breaks of the law; nothing when its flag holds.

    Args:
        segment: 1A, 1B, 2A or 3A. folder: holds index.json, _passed.flag and the members.
    """
    claimed = _FLAG.fullmatch(_content(folder / FLAG_NAME))
    if claimed is None:
        yield {"file": FLAG_NAME, "reason": "missing, or not `sha256_hex = ` and 64 hex digits"}
        return
    try:
        index = parse_once(_content(folder / INDEX_NAME))
    except ValueError as error:
        yield {"file": INDEX_NAME, "reason": str(error)[:200]}
        return
    violations = contract(f"validation_index_{segment}").check_document(index)
    if violations:
        yield {"file": INDEX_NAME, **violations[0].record()}
        return
    if isinstance(index, dict):
        for key in ("manifest_fingerprint", "parameter_hash"):
            if index.get(key, getattr(identity, key)) != getattr(identity, key):
                yield {"file": INDEX_NAME, "key": key, "found": index[key]}
    entries = index if isinstance(index, list) else index.get("files") or index["members"]
    listing = list(_listing(folder, [str(entry["path"]) for entry in entries]))
    yield from listing
    if listing:
        return
    yield from _members(folder, entries)
    found = _digest(segment, folder, entries)
    if found != claimed[1].decode():
        yield {"file": FLAG_NAME, "expected": found, "found": claimed[1].decode()}


def _content(path: Path) -> bytes:
    """A small file's bytes; none where it cannot be read."""
    try:
        return read_bounded(path)
    except OSError:
        return b""


def _listing(folder: Path, listed: list[str]) -> Iterator[Fault]:
    """Paths are unique and are the files on disk, less the flag and an index that does not list itself."""
    repeated = [path for path, count in Counter(listed).items() if count > 1]
    if repeated:
        yield {"file": INDEX_NAME, "repeated": repeated[:3]}
    on_disk, home = set(), real_path(folder)
    for name in files_below(folder):
        if real_path(folder / name).is_relative_to(home):
            on_disk.add(name)
        else:
            yield {"path": name, "reason": "a link out of the bundle"}
    on_disk -= {FLAG_NAME} if INDEX_NAME in listed else {FLAG_NAME, INDEX_NAME}
    missing, unlisted = sorted(set(listed) - on_disk), sorted(on_disk - set(listed))
    if missing or unlisted:
        yield {"file": INDEX_NAME, "missing": missing[:3], "unlisted": unlisted[:3]}


def _members(folder: Path, entries: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    """Digest and size of each member, where the index says them."""
    found: dict[str, Callable[[Path], object]] = {
        "sha256_hex": file_digest,
        "size_bytes": lambda path: path.stat().st_size,
    }
    for entry in entries:
        for key, measure in found.items():
            if key in entry and entry[key] != (measured := measure(folder / entry["path"])):
                yield {"path": entry["path"], "key": key, "expected": measured, "found": entry[key]}


def _digest(segment: str, folder: Path, entries: Sequence[Mapping[str, Any]]) -> str:
    """What the flag must say: over the members' hex digests by logical_id for 3A, over raw bytes by path else."""
    digest = hashlib.sha256()
    if segment == "3A":
        for entry in sorted(entries, key=lambda one: str(one["logical_id"])):
            digest.update(str(entry["sha256_hex"]).encode("ascii"))
        return digest.hexdigest()
    for path in sorted(str(entry["path"]) for entry in entries):
        with open_plain(folder / path) as handle:
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
