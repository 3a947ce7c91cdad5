"""The four upstream bundles and their flags, each by its own index law (law section 2).

A bundle is a folder with ``index.json``, the members the index lists, and ``_passed.flag``. 1A and 1B hash
the raw bytes of the listed files in ascending path; 2A does the same and carries each file's digest as well;
3A hashes its members' ASCII digests in logical_id order. The index's contract holds the rules a path must
keep. Nothing here judges what a member says.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.hashing import file_digest, sha256_hex
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.laws.plain_files import StrangeFileError, open_plain, read_plain, real_path, walk_below
from seg3b_assets.laws.strict_json import parse_once

SEGMENTS: Final = ("1A", "1B", "2A", "3A")
FLAG_NAME: Final = "_passed.flag"
INDEX_NAME: Final = "index.json"

_FLAG: Final = re.compile(rb"sha256_hex = ([a-f0-9]{64})\n?")
_CHUNK: Final = 1 << 20
_EXAMPLES: Final = 5
_RESTORE: Final = (
    "Restore the bundle as it was published: its index must be well formed and list exactly its files."
)


@dataclass(frozen=True)
class Member:
    """One file an index lists; what the index does not say is None."""

    path: str
    logical_id: str
    sha256_hex: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True)
class VerifiedGate:
    """A bundle that holds what its flag says.

    Attributes:
        segment: ``1A`` … ``3A``.
        folder: the bundle's folder.
        sha256_hex: the bundle digest in the flag.
    """

    segment: str
    folder: Path
    sha256_hex: str

    @property
    def bundle_id(self) -> str:
        return f"validation_bundle_{self.segment}"

    @property
    def flag(self) -> Path:
        return self.folder / FLAG_NAME


def verify_bundle(segment: str, folder: Path, world: WorldIdentity) -> VerifiedGate:
    """Check one segment's bundle against its flag.

    Args:
        segment: one of ``SEGMENTS``.
        folder: ``…/{SEG}/validation/manifest_fingerprint={mf}``, which exists.
        world: the identity an index that names one must name.

    Raises:
        Seg3BError: ``GATE_MISSING_OR_INVALID`` (no index; no flag, or one that is not in the flag's grammar),
            ``UPSTREAM_INDEX_INVALID`` (schema, a path rule, or a listing that is not what lies on disk),
            ``IDENTITY_MISMATCH`` (an index of another world), ``UPSTREAM_HASH_MISMATCH``,
            ``INPUT_OPEN_FAILED`` (a member that cannot be read).
    """
    claimed = _read_flag(segment, folder)
    index = _read_index(segment, folder)
    _check_identity(segment, folder, index, world)
    members = index_members(segment, index)
    _check_listing(segment, folder, members)
    found = _read_members(segment, folder, members)
    if found != claimed:
        raise fail(
            "flag_digest",
            str(folder / FLAG_NAME),
            f"Restore segment {segment}'s bundle as it was published, or publish the segment again.",
            segment=segment,
            expected=claimed,
            found=found,
        )
    return VerifiedGate(segment, folder, claimed)


def index_members(segment: str, index: Any) -> tuple[Member, ...]:
    """What a schema-valid index lists, in its own order."""
    if segment in ("1A", "1B"):
        return tuple(Member(entry["path"], entry["artifact_id"]) for entry in index)
    if segment == "2A":
        return tuple(Member(entry["path"], entry["path"], entry["sha256_hex"]) for entry in index["files"])
    return tuple(
        Member(entry["path"], entry["logical_id"], entry["sha256_hex"], entry.get("size_bytes"))
        for entry in index["members"]
    )


def bundle_digest(segment: str, folder: Path, members: Sequence[Member]) -> str:
    """The digest the segment's flag must carry."""
    if segment == "3A":
        ordered = sorted(members, key=lambda member: member.logical_id.encode())
        return sha256_hex("".join(str(member.sha256_hex) for member in ordered).encode())
    digest = hashlib.sha256()
    for path in sorted(member.path for member in members):
        with open_plain(folder / path) as handle:
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _read_flag(segment: str, folder: Path) -> str:
    flag = folder / FLAG_NAME
    try:
        raw = read_plain(flag)
    except OSError as error:
        raise fail(
            "flag_present",
            str(flag),
            f"Run segment {segment} until it passes: it has published no flag for this world.",
            segment=segment,
            reason=error.strerror,
        ) from error
    matched = _FLAG.fullmatch(raw)
    if not matched:
        raise fail(
            "flag_grammar",
            str(flag),
            "Restore the flag: one line, `sha256_hex = ` and 64 lower-case hex digits.",
            segment=segment,
            found=raw[:120].decode("utf-8", "replace"),
            bytes=len(raw),
        )
    return matched.group(1).decode()


def _read_index(segment: str, folder: Path) -> Any:
    path = folder / INDEX_NAME
    try:
        raw = read_plain(path)
    except OSError as error:
        raise fail(
            "index_present",
            str(path),
            f"Restore segment {segment}'s bundle: its index cannot be read.",
            segment=segment,
            reason=error.strerror,
        ) from error
    try:
        index = parse_once(raw)
    except ValueError as error:
        raise fail("index_json", str(path), _RESTORE, segment=segment, reason=str(error)) from error
    violations = contract(f"validation_index_{segment}").check_document(index)
    if violations:
        first = violations[0]
        facts = {"rule": first.rule, "at": first.column, "found": first.example, "expected": first.expected}
        raise fail("index_schema", str(path), _RESTORE, segment=segment, violations=len(violations), **facts)
    return index


def _check_identity(segment: str, folder: Path, index: Any, world: WorldIdentity) -> None:
    if not isinstance(index, dict):
        return
    for key in ("manifest_fingerprint", "parameter_hash"):
        expected = getattr(world, key)
        if index.get(key, expected) != expected:
            raise fail(
                "index_identity",
                f"{folder / INDEX_NAME}:{key}",
                f"Point to the root whose segment {segment} bundle belongs to the receipt's world.",
                segment=segment,
                expected=expected,
                found=index[key],
            )


def _check_listing(segment: str, folder: Path, members: Sequence[Member]) -> None:
    place = folder / INDEX_NAME
    counts = Counter(member.path for member in members)
    repeated = sorted(path for path, count in counts.items() if count > 1)
    if repeated:
        raise fail("index_unique", str(place), _RESTORE, segment=segment, repeated=repeated[:_EXAMPLES])
    listed = {member.path for member in members}
    on_disk = _bundle_files(segment, folder)
    on_disk.discard(FLAG_NAME)
    if INDEX_NAME not in listed:
        on_disk.discard(INDEX_NAME)
    if listed != on_disk:
        missing, unlisted = sorted(listed - on_disk), sorted(on_disk - listed)
        facts: dict[str, Any] = {
            "segment": segment,
            "missing": missing[:_EXAMPLES],
            "missing_count": len(missing),
            "unlisted": unlisted[:_EXAMPLES],
            "unlisted_count": len(unlisted),
        }
        # A file too many is named where it lies: people look there for what their system left.
        place = folder / unlisted[0] if unlisted and not missing else place
        raise fail("index_listing", str(place), _RESTORE, **facts)


def _bundle_files(segment: str, folder: Path) -> set[str]:
    """Relative paths of the bundle's files; a link that leaves the bundle, or links a folder, fails."""
    root = real_path(folder)
    found: set[str] = set()
    for base, folders, names in _walk(segment, folder):
        for name in (*folders, *names):
            entry = base / name
            if entry.is_symlink() and (entry.is_dir() or not real_path(entry).is_relative_to(root)):
                path, target = entry.relative_to(folder).as_posix(), str(entry.readlink())
                raise fail("index_link", str(entry), _RESTORE, segment=segment, path=path, target=target)
        for entry in (base / name for name in names):
            relative = entry.relative_to(folder).as_posix()
            if not entry.exists():
                continue  # a link to nothing, and so a member that is missing
            if not entry.is_file():
                reason = "neither a file nor a folder"
                raise fail("index_entry", str(entry), _RESTORE, segment=segment, path=relative, reason=reason)
            found.add(relative)
    return found


def _walk(segment: str, folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    try:
        yield from walk_below(folder)
    except StrangeFileError as error:
        place = str(Path(error.filename))
        raise fail("index_entry", place, _RESTORE, segment=segment, reason=error.strerror) from error


def _read_members(segment: str, folder: Path, members: Sequence[Member]) -> str:
    try:
        for error in _member_errors(segment, folder, members):
            raise error
        return bundle_digest(segment, folder, members)
    except OSError as error:
        raise _unreadable_member(segment, folder, error) from error


def _unreadable_member(segment: str, folder: Path, error: OSError) -> Seg3BError:
    return fail(
        "bundle_member",
        str(error.filename or folder),
        f"Make every file of segment {segment}'s bundle readable.",
        segment=segment,
        reason=error.strerror,
    )


def altered_members(segment: str, folder: Path) -> list[Seg3BError]:
    """Every member that is not what a bundle's index lists, where ``verify_bundle`` has met the first. Raises as it."""
    try:
        return list(_member_errors(segment, folder, index_members(segment, _read_index(segment, folder))))
    except OSError as error:
        raise _unreadable_member(segment, folder, error) from error


def _member_errors(segment: str, folder: Path, members: Sequence[Member]) -> Iterator[Seg3BError]:
    facts: dict[str, Any]
    remedy = f"Restore the file as segment {segment} published it; its bytes are not what the index lists."
    for member in members:
        path = folder / member.path
        if member.size_bytes is not None and path.stat().st_size != member.size_bytes:
            size = path.stat().st_size
            facts = {"segment": segment, "what": "size_bytes", "expected": member.size_bytes, "found": size}
            yield fail("member_size_bytes", str(path), remedy, **facts)
            continue
        if member.sha256_hex is None:
            continue
        found = file_digest(path)
        if found != member.sha256_hex:
            facts = {"segment": segment, "what": "sha256_hex", "expected": member.sha256_hex, "found": found}
            yield fail("member_sha256_hex", str(path), remedy, **facts)
