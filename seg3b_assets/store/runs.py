"""The records of finished lineages and the bytes of their policies (storage).

    runs/{lineage_id}/run.json   one lineage
    policies/{sha256}.yaml       a policy, so that it stays readable after the folder it came from has moved on

The record is written by ``Store.write_run`` when a whole lineage is published; a rerun of the same lineage
replaces it. What identifies the lineage (keys, digests, policies, flag) is the same in both, times are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.hashing import sha256_hex, sha256_json
from seg3b_assets.laws.identity import HEX64
from seg3b_assets.store.backend import open_home
from seg3b_assets.store.layout import STATE
from seg3b_assets.store.writing import reported_writes

FOLDER: Final = "runs"
RECORD: Final = "run.json"
POLICIES: Final = "policies"


def record_path(lineage_id: str) -> str:
    """Where a lineage's record is, below the home."""
    return f"{FOLDER}/{lineage_id}/{RECORD}"


@dataclass(frozen=True)
class KeptState:
    """One state of a kept lineage.

    Attributes:
        key: of its snapshot.
        digest: over all its outputs.
        wall_s, peak_rss_mb: what computing the snapshot cost (seconds, MB), whichever run did; None when it
            is not known.
        lanes: wall seconds by lane of that computation.
    """

    key: str
    digest: str
    wall_s: float | None
    peak_rss_mb: float | None
    lanes: Mapping[str, float]


@dataclass(frozen=True)
class KeptRun:
    """One lineage as recorded.

    Attributes:
        lineage_id: SHA-256 of the canonical JSON {state: key}.
        seed, run_id, parameter_hash, manifest_fingerprint, sealed_inputs_digest: whose it is.
        states: by state, S0 first.
        policies: SHA-256 by policy id of the sealed policies' bytes (``PolicyBytes`` has them); empty in a
            record older than the keeping of policies.
        counts: rows by what they are.
        flag: the bundle digest in ``_passed.flag``.
        finished_utc: when the last run of the lineage ended.
        document: the whole record.
    """

    lineage_id: str
    seed: int
    run_id: str
    parameter_hash: str
    manifest_fingerprint: str
    sealed_inputs_digest: str
    states: Mapping[str, KeptState]
    policies: Mapping[str, str]
    counts: Mapping[str, int]
    flag: str
    finished_utc: str
    document: Mapping[str, Any]

    @property
    def keys(self) -> dict[str, str]:
        """State key by state."""
        return {name: state.key for name, state in self.states.items()}


class Runs:
    """The run records of one home.

    Args:
        home: as the store's.
    """

    def __init__(self, home: Path) -> None:
        self._backend = open_home(home)

    def ids(self) -> list[str]:
        """Lineage ids that have a record, sorted."""
        places = [path.partition("/") for path in self._backend.paths(FOLDER)]
        return sorted(
            lineage_id for lineage_id, _, name in places if HEX64.fullmatch(lineage_id) and name == RECORD
        )

    def read(self, lineage_id: str) -> KeptRun | None:
        """The record of a lineage; None when there is none.

        Raises:
            Seg3BError: INPUT_OPEN_FAILED when the file is not the record of that lineage.
        """
        path = record_path(lineage_id)
        try:
            return _parsed(lineage_id, orjson.loads(self._backend.read(path)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise fail(
                "run_record_readable",
                self._backend.place(path),
                "Remove the file and run the seed again under the same policies: snapshots are reused.",
                reason=repr(error),
            ) from error

    def every(self) -> list[KeptRun]:
        """Every record, by lineage id. Raises as ``read``."""
        return [run for lineage_id in self.ids() if (run := self.read(lineage_id)) is not None]

    def about(self, lineage_id: str) -> dict[str, Any]:
        """What stays known of a lineage in the record of the prune that removes it."""
        try:
            run = self.read(lineage_id)
        except Seg3BError:
            run = None
        if run is None:
            return {"lineage_id": lineage_id}
        return {
            "lineage_id": lineage_id,
            "seed": run.seed,
            "run_id": run.run_id,
            "flag": run.flag,
            "finished_utc": run.finished_utc,
            "keys": run.keys,
            "policies": dict(run.policies),
        }


class PolicyBytes:
    """The kept policies of one home.

    Args:
        home: as the store's; made when first written to.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._backend = open_home(home)

    def keep(self, contents: Iterable[bytes]) -> None:
        """Keep these bytes; what is kept already is not written again.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED.
        """
        missing = {digest: content for content in contents if not self._holds(digest := sha256_hex(content))}
        if not missing:
            return
        with reported_writes("S0", self._home / POLICIES):
            for digest, content in missing.items():
                self._put(digest, content)

    def read(self, digest: str) -> bytes:
        """The bytes with this SHA-256.

        Raises:
            Seg3BError: INPUT_OPEN_FAILED when they are not kept, or are no longer those bytes.
        """
        place = self._backend.place(_policy_path(digest))
        try:
            content = self._backend.read(_policy_path(digest))
        except OSError as error:
            raise _lost(place, error.strerror or "it is not there") from error
        if sha256_hex(content) != digest:
            raise _lost(place, "the bytes have another digest than their name")
        return content

    def _put(self, digest: str, content: bytes) -> None:
        self._backend.update(_policy_path(digest), POLICIES, lambda _: content)

    def _holds(self, digest: str) -> bool:
        try:
            return sha256_hex(self._backend.read(_policy_path(digest))) == digest
        except OSError:
            return False


def _parsed(lineage_id: str, document: Mapping[str, Any]) -> KeptRun:
    states = {name: _state(entry) for name, entry in sorted(document["states"].items())}
    run = KeptRun(
        lineage_id=lineage_id,
        seed=int(document["seed"]),
        run_id=document["run_id"],
        parameter_hash=document["parameter_hash"],
        manifest_fingerprint=document["manifest_fingerprint"],
        sealed_inputs_digest=document["sealed_inputs_digest"],
        states=states,
        policies=dict(document.get("policy_digests") or {}),
        counts={name: int(count) for name, count in document["counts"].items() if count is not None},
        flag=document["flag"],
        finished_utc=document["finished_utc"],
        document=document,
    )
    named = {name: state.key for name, state in states.items()}
    if wrong := [
        name for name, key in named.items() if not STATE.fullmatch(name) or not HEX64.fullmatch(key)
    ]:
        raise ValueError(f"{wrong[0]}: not a state and the key of its snapshot")
    if wrong := [name for name, digest in run.policies.items() if not HEX64.fullmatch(digest)]:
        raise ValueError(f"{wrong[0]}: not a policy and the digest of its bytes")
    if sha256_json(run.keys) != lineage_id:
        raise ValueError(f"its keys are those of lineage {sha256_json(run.keys)}")
    return run


def _state(entry: Mapping[str, Any]) -> KeptState:
    built = entry.get("built") or {}
    return KeptState(
        key=entry["key"],
        digest=entry["digest"],
        wall_s=built.get("wall_s"),
        peak_rss_mb=built.get("peak_rss_mb"),
        lanes=dict(built.get("lanes") or {}),
    )


def _policy_path(digest: str) -> str:
    return f"{POLICIES}/{digest}.yaml"


def _lost(place: str, reason: str) -> Seg3BError:
    return fail(
        "policy_kept",
        place,
        "Run a seed under those policies again; its record keeps their bytes.",
        reason=reason,
    )
