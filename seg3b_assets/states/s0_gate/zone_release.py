"""The tz database release that 2A's timetables follow, and the zones that are newer than it.

A router that tells local times by 2A's timetables knows no zone of a later release. Where the upstream root has the
timetables, their manifest is sealed with them, its digests enter the gate receipt, and every zone of the polygons
that the release cannot know is named in the receipt's notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seg3b_assets.contracts import contract
from seg3b_assets.inputs.sealed import SealedInput
from seg3b_assets.inputs.tables import read_table
from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.plain_files import read_plain
from seg3b_assets.laws.strict_json import parse_once
from seg3b_assets.laws.tz_database import newer_zones_note

CACHE: Final = "tz_timetable_cache"
MANIFEST: Final = "tz_timetable_cache.json"
ZONES: Final = "tz_world"
_REMEDY: Final = (
    "Restore the manifest of 2A's timetables as it was published, or take the folder out: it is optional."
)


@dataclass(frozen=True)
class ZoneRelease:
    """What the manifest of 2A's timetables says: the release's tag, and digests of archive and index."""

    tag: str
    archive_digest: str
    index_digest: str

    @property
    def digests(self) -> dict[str, str]:
        """As the gate receipt names them."""
        return {"tzdata_archive_digest": self.archive_digest, "tz_index_digest": self.index_digest}


def read_release(sealed: Mapping[str, SealedInput], manifest_fingerprint: str) -> ZoneRelease | None:
    """The release of the sealed timetables; None where the root has none.

    Raises:
        Seg3BError: ``INPUT_OPEN_FAILED``, ``INPUT_SCHEMA_MISMATCH``, ``IDENTITY_MISMATCH``.
    """
    if CACHE not in sealed:
        return None
    path = sealed[CACHE].location / MANIFEST
    document = _document(path)
    violations = contract(CACHE).check_document(document)
    if violations:
        first = violations[0]
        facts = {"at": first.column, "found": first.example, "expected": first.expected}
        raise fail("release_schema", str(path), _REMEDY, **facts)
    found = document["manifest_fingerprint"]
    if found != manifest_fingerprint:
        raise fail(
            "release_identity",
            f"{path}:manifest_fingerprint",
            "Give the root the timetables of its own world, or take them out: they are optional.",
            expected=manifest_fingerprint,
            found=found,
        )
    return ZoneRelease(
        document["tzdb_release_tag"], document["tzdb_archive_sha256"], document["tz_index_digest"]
    )


def release_notes(release: ZoneRelease | None, sealed: Mapping[str, SealedInput]) -> list[str]:
    """A sentence that names the zones newer than the release; none where there are none."""
    if release is None or ZONES not in sealed:
        return []
    frame = read_table(contract(ZONES), sealed[ZONES].location, "S0")
    held = set(frame["tzid"].unique().to_list()) if "tzid" in frame.columns else set()
    return newer_zones_note(release.tag, held)


def _document(path: Path) -> Any:
    try:
        return parse_once(read_plain(path))
    except OSError as error:
        raise fail(
            "release_readable",
            str(path),
            "Restore 2A's timetables with their manifest, or take the folder out: it is optional.",
            reason=error.strerror,
        ) from error
    except ValueError as error:
        raise fail("release_json", str(path), _REMEDY, reason=str(error)) from error
