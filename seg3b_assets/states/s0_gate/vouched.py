"""What the upstream bundles vouch for: digests of datasets that their indexes or members state.

A gate that holds says that a bundle is as it was published; whether the datasets beside it are is another question. A
bundle answers it where its index lists a dataset, or one of its JSON members is a digest member: ``datasets`` {id:
digest}, or ``evidence`` [{logical_id, sha256_hex}]. A segment may count a dataset's digest in several ways, and any of
them is taken: of its file, by the law of folders (of the folder its only file is in, too), or over the raw bytes of its
files in path order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from seg3b_assets.contracts.artefact_registry import sealed_own_id
from seg3b_assets.inputs.sealed import SealedInput, open_failed
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.hashing import file_digest, path_digest
from seg3b_assets.laws.identity import HEX64
from seg3b_assets.laws.plain_files import files_below, open_plain, read_plain
from seg3b_assets.states.s0_gate.bundles import INDEX_NAME, VerifiedGate
from seg3b_assets.states.s0_gate.inventory import BUNDLE, GATE, UPSTREAM

if TYPE_CHECKING:
    from seg3b_assets.store.digest_cache import DigestCache

# A digest member is a page; evidence of other kinds may be anything.
_MOST_BYTES: Final = 16 << 20
_CHUNK: Final = 1 << 20
# Raise its number where a way of counting is taken away: answers are remembered.
_RULE: Final = "certified 1"


@dataclass(frozen=True)
class Vouched:
    """One dataset's digest as a bundle states it.

    Attributes:
        dataset_id: whose.
        sha256_hex: what the bundle says.
        segment: ``1A`` … ``3A``.
        place: the file that says so.
    """

    dataset_id: str
    sha256_hex: str
    segment: str
    place: Path


def vouched(gates: Iterable[VerifiedGate]) -> list[Vouched]:
    """Every statement of the bundles about a dataset that the segment reads, in the gates' order."""
    known = {artefact.own_id for artefact in UPSTREAM}
    return [one for gate in gates for one in _of_bundle(gate) if one.dataset_id in known]


def require_vouched(said: Sequence[Vouched], sealed: Mapping[str, SealedInput], digests: DigestCache) -> None:
    """Refuse a dataset that is not what a bundle certifies; what was counted another way is not read again.

    Args:
        sealed: by the segment's own id.

    Raises:
        Seg3BError: the first of ``uncertified``.
    """

    def judge(one: Vouched) -> None:
        for error in uncertified([one], sealed):
            raise error

    for one in said:
        entry = sealed.get(one.dataset_id)
        if entry is not None and one.sha256_hex != entry.sha256_hex:
            folder = entry.location if entry.location.is_dir() else entry.location.parent
            digests.held(f"{_RULE} {one.dataset_id} {one.sha256_hex}", folder, partial(judge, one))


def uncertified(said: Sequence[Vouched], sealed: Mapping[str, SealedInput]) -> Iterator[Seg3BError]:
    """Every dataset that is not what a bundle certifies: ``UPSTREAM_HASH_MISMATCH`` with who vouches and both digests.

    Args:
        sealed: by the segment's own id.
    """
    for one in said:
        entry = sealed.get(one.dataset_id)
        if entry is None or one.sha256_hex in _digests(entry):
            continue
        yield fail(
            "certified_dataset",
            str(entry.location),
            f"Restore {one.dataset_id} as segment {one.segment} certified it, or publish the segment again.",
            logical_id=one.dataset_id,
            certified_by=str(one.place),
            expected=one.sha256_hex,
            found=entry.sha256_hex,
        )


def unvouched(said: Sequence[Vouched], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Datasets among sealed inputs for whose bytes no bundle speaks, sorted.

    Args:
        rows: of ``sealed_inputs_3B``; gates and policies among them are passed over.
    """
    own = {artefact.own_id for artefact in UPSTREAM}
    sealed = {sealed_own_id(row) for row in rows if row["artefact_kind"] not in (GATE, BUNDLE)}
    return sorted((sealed & own) - {one.dataset_id for one in said})


def _of_bundle(gate: VerifiedGate) -> Iterator[Vouched]:
    for path in (gate.folder / name for name in files_below(gate.folder) if name.endswith(".json")):
        if path.stat().st_size <= _MOST_BYTES:
            for name, digest in _stated(path):
                if HEX64.fullmatch(digest):
                    yield Vouched(name, digest, gate.segment, path)


def _stated(path: Path) -> list[tuple[str, str]]:
    """(dataset, digest) of every statement in a document; nothing in one of another shape."""
    try:
        document = orjson.loads(read_plain(path))
    except OSError as error:
        raise open_failed("S0", path.name, path, error.strerror) from error
    except orjson.JSONDecodeError:
        return []
    if not isinstance(document, dict):
        return []
    by_id = document.get("datasets")
    # Of an index, its members: 3A names each by a logical id, and one may be a dataset's.
    listed = document.get("members" if path.name == INDEX_NAME else "evidence")
    pairs = [*by_id.items()] if isinstance(by_id, dict) else []
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    pairs += [(row.get("logical_id"), row.get("sha256_hex")) for row in rows]
    return [(name, digest) for name, digest in pairs if isinstance(name, str) and isinstance(digest, str)]


def _digests(entry: SealedInput) -> Iterator[str]:
    """The dataset's digest as each way of counting has it; the later ways read its bytes again."""
    yield entry.sha256_hex
    if not entry.location.is_dir():
        yield path_digest(entry.location.parent)
        return
    files = sorted(entry.location / name for name in files_below(entry.location))
    if len(files) == 1:
        yield file_digest(files[0])
    else:
        digest = hashlib.sha256()
        for path in files:
            with open_plain(path) as handle:
                while chunk := handle.read(_CHUNK):
                    digest.update(chunk)
        yield digest.hexdigest()
