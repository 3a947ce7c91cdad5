"""S0 to S2 on what could be sealed, in memory: what a run would stop at that no table says by itself.

The states are run as they are; what they write is held against its contract, as publishing does, and kept here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from seg3b_assets.contracts import contract
from seg3b_assets.doctor.finding import Finding, fine, looked, of_error
from seg3b_assets.doctor.inputs import not_looked_at
from seg3b_assets.doctor.roots import Root
from seg3b_assets.inputs.published import Published
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.states import s0_gate, s1_classification, s2_edges
from seg3b_assets.states.context import Lanes, StateContext
from seg3b_assets.states.maps import COUNTRIES, ZONES
from seg3b_assets.states.s0_gate.bundles import SEGMENTS
from seg3b_assets.states.s1_classification import state as s1
from seg3b_assets.states.s1_classification.classification import classification_tables
from seg3b_assets.states.s1_classification.evidence import zone_warnings
from seg3b_assets.states.s1_classification.settlement import COORDINATES, settlement_tables
from seg3b_assets.states.s2_edges import state as s2
from seg3b_assets.states.s2_edges.surface import SURFACES
from seg3b_assets.store.outputs import FileRecord
from seg3b_assets.store.staging import Staging
from seg3b_assets.wording import number

if TYPE_CHECKING:
    from seg3b_assets.laws.identity import RunIdentity
    from seg3b_assets.policies import PolicySet
    from seg3b_assets.progress import Progress

AREA: Final = "upstream rehearsal"
_NOWHERE: Final = Path("/dev/null")
# What a root without one of its gates cannot give as it should be; that is said of the gate.
_OF_GATES: Final = frozenset({"s0_gate_receipt_3B", "sealed_inputs_3B"})


@dataclass
class Rehearsed:
    """What the states made so far, by dataset id."""

    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)

    @property
    def needed(self) -> set[str] | None:
        """Countries that edges stand in; None where S2 did not get to know."""
        precheck = self.documents.get("tile_surface_partition_precheck_3B")
        return None if precheck is None else set(precheck["required"])


class _Kept(Staging):
    """Staging that keeps tables and documents and writes nothing."""

    def __init__(self, state: str, identity: RunIdentity, rehearsed: Rehearsed, whole: bool) -> None:
        super().__init__(_NOWHERE, state, identity, contract)
        self._rehearsed = rehearsed
        self._unchecked = frozenset() if whole else _OF_GATES

    def table(self, dataset_id: str, frame: pl.DataFrame, rows_per_part: int | None = None) -> None:
        declared = self._open(dataset_id, {"parquet", "parquet_parts"})
        if set(declared.polars_schema) == set(frame.columns):
            frame = frame.select(list(declared.polars_schema))
        self._require(declared, declared.check_frame(frame))
        self._rehearsed.tables[dataset_id] = frame
        self._record(declared, "0" * 64, frame.height, [FileRecord("", max(frame.height, 1))])

    def document(self, dataset_id: str, value: Any) -> None:
        declared = self._open(dataset_id, {"json", "json_indented"})
        if dataset_id not in self._unchecked:
            self._require(declared, declared.check_document(value))
        self._rehearsed.documents[dataset_id] = value
        self._record(declared, "0" * 64, None, [FileRecord("", 1)])

    def lines(self, dataset_id: str, chunks: Iterable[Any]) -> None:
        self._record(self._open(dataset_id, {"jsonl"}), "0" * 64, 0, [FileRecord("", 1)])


class _Known(Published):
    """What earlier states made, out of memory."""

    def __init__(self, reader: str, rehearsed: Rehearsed) -> None:
        super().__init__(reader, (), contract)
        self._rehearsed = rehearsed

    def table(self, dataset_id: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        frame = self._rehearsed.tables[dataset_id]
        return frame if columns is None else frame.select(columns)

    def document(self, dataset_id: str) -> Any:
        return self._rehearsed.documents[dataset_id]


def rehearse(
    root: Root, policies: PolicySet, workers: int, progress: Progress, rehearsed: Rehearsed
) -> Iterator[Finding]:
    """Run S0, S1 and S2 as far as what each reads could be had.

    Args:
        rehearsed: is filled with what they make.
    """
    done: list[str] = []
    for state in (_S0, _S1, _S2):
        if not root.usable(*state.wants(root)) or any(before not in done for before in state.after):
            yield not_looked_at(AREA, f"what {state.name} would make of it", root, *state.wants(root))
            continue
        try:
            _perform(state, root, policies, (workers, progress), rehearsed)
            done.append(state.name)
        except Seg3BError as error:
            yield of_error(AREA, error)
            if state is _S1:
                yield from looked(AREA, lambda: _all_of_s1(root, policies))
    if len(done) == 3:
        merchants, edges = (
            rehearsed.tables[name].height for name in ("virtual_settlement_3B", "edge_catalogue_3B")
        )
        counted = f"{number(merchants)} virtual merchants, {number(edges)} edges"
        found = f"S0 to S2 go through in memory: {counted}; nothing was kept"
        yield fine(AREA, "REHEARSED", str(root.path), found, virtual=merchants, edges=edges)


def _perform(
    state: _State, root: Root, policies: PolicySet, how: tuple[int, Progress], rehearsed: Rehearsed
) -> None:
    workers, progress = how
    known, name = _Known(state.name, rehearsed), state.name
    out = _Kept(name, root.identity, rehearsed, len(root.gates) == len(SEGMENTS))
    try:
        state.run(
            StateContext(root.identity, policies, root.inputs, known, out, Lanes(name), progress, workers)
        )
    finally:
        out.close()


def _all_of_s1(root: Root, policies: PolicySet) -> Iterator[Finding]:
    """S1 stops at the first of its two checks of settlements; here both are asked."""
    merchants = s1.read_merchants(root.inputs)
    classified, _ = classification_tables(merchants, policies, root.identity)
    virtual = merchants.filter(classified["is_virtual"])
    sources = s1.read_sources(root.inputs, policies)
    try:
        zone_warnings(sources.ingested, virtual, sources.zones, policies)
    except Seg3BError as error:
        yield of_error(AREA, error)
    settlement_tables(virtual, sources, policies, root.identity)


@dataclass(frozen=True)
class _State:
    """A state to rehearse: what it reads of upstream, and the states whose outputs it reads."""

    name: str
    run: Any
    reads: tuple[str, ...]
    after: tuple[str, ...] = ()

    def wants(self, root: Root) -> tuple[str, ...]:
        """Of those, what it would read of this root: S1 asks where a point lies only of coordinates it is given."""
        needless = {COUNTRIES} if self.name == "S1" and not root.inputs.has(COORDINATES) else set[str]()
        return tuple(name for name in self.reads if name not in needless)


_MAPS: Final = (COUNTRIES, ZONES)
_S0: Final = _State("S0", s0_gate.run, (*_MAPS, *SURFACES, s1.MERCHANTS))
_S1: Final = _State("S1", s1_classification.run, (*_MAPS, *s1.TABLES))
_S2: Final = _State("S2", s2_edges.run, (*_MAPS, *SURFACES, *s1.TABLES, *s2.TABLES), ("S0", "S1"))
