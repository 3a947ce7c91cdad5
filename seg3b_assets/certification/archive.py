"""Where certifications are kept: ``certifications/{certification_id}/`` of the home, one folder each.

A folder appears whole, by one rename, and is not changed afterwards. ``certification.json`` lists what is in
it with digests; a folder that no longer holds what it lists is set aside and written again.

What a home knows of a certification besides lies with its reports (``reports/{certification_id}/standing.json``):
whether it is the policy's, what scoring it took, which run was good before it.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import TypeAdapter, ValidationError

from seg3b_assets.certification.kept import FOLDER as CERTIFICATIONS
from seg3b_assets.certification.kept import (
    MANIFEST,
    STAGED,
    Certifications,
    KeptCertification,
    have_certification,
    is_file_name,
)
from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.locks import exclusive
from seg3b_assets.own_places import folders_in, fresh_name, make_private, read_regular, write_new
from seg3b_assets.store.backend import open_home
from seg3b_assets.store.writing import flush_folder, replace_file, reported_writes

STATE: Final = "S5"
REPORTS: Final = "reports"
STANDING: Final = "standing.json"
# Where an earlier release kept the scoring's time.
_SCORING: Final = "scoring.json"
LATEST: Final = "latest"
POLICY_SCOPE, NAMED_SCOPE = "policy", "named"


@dataclass(frozen=True)
class Standing:
    """What a home knows of a certification that does not follow from its lineages.

    Attributes:
        scope: ``policy`` for the policy's seeds over what is in force, ``named`` for any other; "" where an earlier
            release did not say.
        scoring_s: wall seconds of scoring; None where nobody recorded them.
        last_good_before: lineage id by seed, of the last good run before it.
    """

    scope: str = ""
    scoring_s: float | None = None
    last_good_before: Mapping[int, str] = field(default_factory=dict)


_STANDING: Final = TypeAdapter(Standing)


class Archive:
    """The certifications of one home.

    Args:
        home: as the store's; made when first written to.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / CERTIFICATIONS

    def folder(self, certification_id: str) -> Path:
        """Where a certification lies, or would."""
        return self._folder / certification_id

    def holds(self, certification_id: str) -> bool:
        """Whether the certification is there with the bytes it was written with."""
        return have_certification(self._home, certification_id) and _intact(self.folder(certification_id))

    def documents(self, certification_id: str) -> dict[str, Any]:
        """Its JSON documents that are as they were written, by file name; fetched from the home's URL if need be."""
        have_certification(self._home, certification_id)
        folder = self.folder(certification_id)
        documents = {MANIFEST: orjson.loads(read_regular(folder / MANIFEST))}
        for name, digest in _listed(folder).items():
            with suppress(OSError):
                content = read_regular(folder / name) if name.endswith(".json") else b""
                if sha256_hex(content) == digest:
                    documents[name] = orjson.loads(content)
        return documents

    def publish(self, certification_id: str, inputs: Mapping[str, Any], files: Mapping[str, bytes]) -> Path:
        """Write a certification; one that is there already must have the same bytes.

        Args:
            inputs: what the id is the digest of. files: bytes by name.

        Raises:
            Seg3BError: NONDETERMINISTIC_OUTPUT when the same id was published with other bytes;
                OUTPUT_WRITE_FAILED.
        """
        target = self.folder(certification_id)
        manifest = canonical_json(
            {
                "certification_id": certification_id,
                "inputs": dict(inputs),
                "files": {name: sha256_hex(content) for name, content in files.items()},
            }
        )
        with reported_writes(STATE, target), exclusive(self._home / "locks" / f"{CERTIFICATIONS}.lock"):
            self._sweep()
            if _intact(target):
                _require_same(target, (target / MANIFEST).read_bytes(), manifest)
                return self._published(target, manifest, files)
            if target.exists():
                self._set_aside(target)
            make_private(target.parent)
            staged = fresh_name(target, STAGED)
            staged.mkdir()
            for name, content in {**files, MANIFEST: manifest}.items():
                write_new(staged / name, content)
            flush_folder(staged)
            staged.rename(target)
            flush_folder(target.parent)
            return self._published(target, manifest, files)

    def standing(self, certification_id: str) -> Standing:
        """What the home knows of a certification; nothing of one it knows nothing of."""
        for name in (STANDING, _SCORING):
            path = self._home / REPORTS / certification_id / name
            with suppress(OSError, ValidationError):
                return _STANDING.validate_json(read_regular(path))
        return Standing()

    def note(self, certification_id: str, standing: Standing) -> None:
        """Keep what the home knows of a certification.

        Raises:
            Seg3BError: ``OUTPUT_WRITE_FAILED``.
        """
        path = self._home / REPORTS / certification_id / STANDING
        record = {**asdict(standing), "last_good_before": _by_text(standing.last_good_before)}
        with reported_writes(STATE, path), exclusive(self._home / "locks" / f"{REPORTS}.lock"):
            replace_file(path, canonical_json(record))

    def _published(self, target: Path, manifest: bytes, files: Mapping[str, bytes]) -> Path:
        """The certification, published for all who share the home."""
        place = f"{CERTIFICATIONS}/{target.name}"
        _require_same(target, open_home(self._home).publish_folder(place, MANIFEST, list(files)), manifest)
        return target

    def _sweep(self) -> None:
        """Remove what a writer that died left; the caller holds the lock every writer holds."""
        for left in folders_in(self._folder):
            if left.name.endswith(STAGED):
                shutil.rmtree(left)

    def _set_aside(self, target: Path) -> None:
        quarantine = self._home / "quarantine"
        make_private(quarantine)
        target.rename(quarantine / f"certification-{target.name}-{secrets.token_hex(4)}")


def certification_named(home: Path, name: str) -> KeptCertification:
    """The certification whose id begins with ``name``; ``latest`` is the policy's written last, or any other.

    Raises:
        Seg3BError: ``INPUT_OPEN_FAILED`` where there is none, or more than one.
    """
    certifications = Certifications(home)
    kept = certifications.every()
    if name == LATEST:
        found = _latest(home, certifications.by_age())
    else:
        found = [one for one in kept if one.certification_id.startswith(name.lower())]
    if len(found) == 1:
        return found[0]
    raise fail(
        "one_certification",
        f"{name} in {open_home(home).place(CERTIFICATIONS)}",
        "Make one with seg3b certify, or give more digits of its id.",
        found=[one.certification_id for one in found],
        kept=len(kept),
    )


def _latest(home: Path, by_age: Sequence[KeptCertification]) -> list[KeptCertification]:
    """The last of the policy's certifications, or of those that do not say; the last of all where there is none."""
    archive = Archive(home)
    ours = [one for one in by_age if archive.standing(one.certification_id).scope != NAMED_SCOPE]
    return list((ours or by_age)[-1:])


def _by_text(lineages: Mapping[int, str]) -> dict[str, str]:
    return {str(seed): lineage_id for seed, lineage_id in lineages.items()}


def _intact(folder: Path) -> bool:
    try:
        return all(
            sha256_hex(read_regular(folder / name)) == digest for name, digest in _listed(folder).items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _listed(folder: Path) -> dict[str, str]:
    """Digest by name of a certification's documents.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError: there is no manifest, or it is none.
    """
    listed: dict[str, str] = orjson.loads(read_regular(folder / MANIFEST))["files"]
    if outside := [name for name in listed if not is_file_name(name)]:
        raise ValueError(f"{outside[0]} is no file of its folder")
    return listed


def _require_same(target: Path, there: bytes, manifest: bytes) -> None:
    if there == manifest:
        return
    published, computed = (orjson.loads(one)["files"] for one in (there, manifest))
    differ = sorted(
        name for name in published.keys() | computed.keys() if published.get(name) != computed.get(name)
    )
    raise fail(
        "certification_digest",
        f"{', '.join(differ)} in {target}",
        "The same lineages and policy gave other bytes; the published ones stay. Raise CODE_VERSION of "
        "seg3b_assets.certification if scoring changed; else find what depends on order, clock or machine.",
        files=differ,
    )
