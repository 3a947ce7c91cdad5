"""What a run did: per state its key, digest and cost; the lineage; and the JSON the command line prints.

The kernel's high-water mark of memory is reset when a stretch begins, so that each state shows its own peak and not
the largest so far. Measurements go to the run record, never into an output.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from seg3b_assets.inputs.published import Published
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.input_notes import InputNote, input_notes
from seg3b_assets.laws.joined_keys import COORDINATES
from seg3b_assets.store import Snapshot

FLAG_PREFIX = b"sha256_hex = "

_RESET_PEAK = b"5"
_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class StateResult:
    """One state of a run.

    Attributes:
        snapshot: what is published for its key.
        wall_s: wall seconds this run spent on it.
        peak_rss_mb: peak resident memory while it did, in MB.
        reused: whether the snapshot was there already and nothing was computed.
        lanes: wall seconds by lane; empty when reused.
    """

    snapshot: Snapshot
    wall_s: float
    peak_rss_mb: float
    reused: bool
    lanes: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        return {
            "key": self.snapshot.key,
            "digest": self.snapshot.digest,
            "wall_s": round(self.wall_s, 3),
            "peak_rss_mb": self.peak_rss_mb,
            "reused": self.reused,
        }


@dataclass(frozen=True)
class RunRecord:
    """One run of one seed, up to some state.

    Attributes:
        identity: whose run it is.
        total_wall_s: wall seconds, sealing included.
        states: result by state, in order.
        published: the datasets of the lineage.
        heads_moved: whether the run put its snapshots in force.
    """

    identity: RunIdentity
    total_wall_s: float
    states: Mapping[str, StateResult]
    published: Published
    heads_moved: bool

    @property
    def keys(self) -> dict[str, str]:
        return {name: result.snapshot.key for name, result in self.states.items()}

    @property
    def lineage_id(self) -> str:
        """hex64: SHA-256 of the canonical JSON {state: state_key}."""
        return sha256_json(self.keys)

    @property
    def executed(self) -> tuple[str, ...]:
        """The states that were computed, in order."""
        return tuple(name for name, result in self.states.items() if not result.reused)

    @property
    def flag(self) -> str | None:
        """The bundle digest in ``_passed.flag``; None when the run ended before S5."""
        if not self.published.has("passed_flag_3B"):
            return None
        return self.published.path("passed_flag_3B").read_bytes().removeprefix(FLAG_PREFIX).strip().decode()

    @property
    def bundle_dir(self) -> str | None:
        """Absolute path of the validation bundle; None when the run ended before S5."""
        if not self.published.has("validation_bundle_3B"):
            return None
        return str(self.published.path("validation_bundle_3B"))

    @property
    def counts(self) -> dict[str, int | None]:
        """Merchants, virtual merchants, settlements drawn for want of a coordinate, edges, and events of both
        RNG streams; None for what was not run.
        """
        events = [self._rows(name) for name in ("rng_event_edge_jitter_3B", "rng_event_edge_tile_assign_3B")]
        return {
            "merchants": self._rows("virtual_classification_3B"),
            "virtual": self._rows("virtual_settlement_3B"),
            "settlements_drawn": self._settlements_drawn(),
            "edges": self._rows("edge_catalogue_3B"),
            "rng_events": None if None in events else sum(filter(None, events)),
        }

    @property
    def joined(self) -> list[dict[str, Any]]:
        """What was used of the ids that people wrote, as S1's report has it; empty for what was not run."""
        joined = self._told("s1_run_report_3B", "joined")
        return list(joined) if isinstance(joined, list) else []

    @property
    def input_notes(self) -> list[InputNote]:
        """What S0 and S1 had to say of the inputs, a note per kind."""
        names = ("input_findings_3B", "s0_gate_receipt_3B", "s1_run_report_3B")
        return input_notes(*map(self._document, names))

    def _settlements_drawn(self) -> int | None:
        """Those that are not of the coordinates file. From S1 alone, as what a run reuses of S2 is not fetched."""
        settled = self._rows("virtual_settlement_3B")
        if settled is None or not self.published.has("s1_run_report_3B"):
            return None
        return settled - sum(int(one["used"]) for one in self.joined if one["source"] == COORDINATES)

    def _told(self, dataset_id: str, key: str) -> Any:
        """What a published document says of itself, to be shown; whether it keeps its contract is for its readers."""
        document = self._document(dataset_id)
        return document.get(key) if isinstance(document, dict) else None

    def _document(self, dataset_id: str) -> Any:
        if not self.published.has(dataset_id):
            return None
        with suppress(ValueError):
            return orjson.loads(self.published.path(dataset_id).read_bytes())
        return None

    def _rows(self, dataset_id: str) -> int | None:
        return self.published.record(dataset_id).rows if self.published.has(dataset_id) else None

    def as_json(self) -> dict[str, Any]:
        """The object ``seg3b run --json`` prints."""
        return {
            "seed": self.identity.seed,
            "run_id": self.identity.run_id,
            "lineage_id": self.lineage_id,
            "total_wall_s": round(self.total_wall_s, 3),
            "states": {name: result.as_json() for name, result in self.states.items()},
            "counts": self.counts,
            "joined": self.joined,
            "input_notes": [note.as_json() for note in self.input_notes],
            "flag": self.flag,
            "bundle_dir": self.bundle_dir,
        }


class Meter:
    """Wall time and peak memory of one stretch of this process.

    Measures from its construction on. Where the mark cannot be reset, the peak is the process's so far.
    """

    def __init__(self) -> None:
        self._started = time.perf_counter()
        try:
            _CLEAR.write_bytes(_RESET_PEAK)
            self._reset = True
        except OSError:
            self._reset = False

    def seconds(self) -> float:
        """Wall seconds so far."""
        return time.perf_counter() - self._started

    def megabytes(self) -> float:
        """Peak resident set so far, in MB (10^6 bytes), to one decimal."""
        kilobytes = _high_water() if self._reset else None
        if kilobytes is None:
            kilobytes = _process_peak()
        return round(kilobytes * 1024 / 1e6, 1)


def _high_water() -> float | None:
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1])
    return None


def _process_peak() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform == "darwin" else peak  # bytes there, kilobytes elsewhere
