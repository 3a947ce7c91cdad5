"""Edges drawn through the published alias blob, a column of events at a time (law section 5).

An event is (merchant, event number): its uniform is addressed, so that any pick can be drawn again alone, in
any order, on any machine. Whoever has uniforms of their own may use those instead.

A virtual merchant's two times: where its traffic comes from, and where it settles.

Rule LOCAL_MIDNIGHT_SETTLEMENT_ZONE: a settlement day ends at midnight of the settlement's own zone. Offsets are
the pinned tz database's, never the machine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.consume import arguments
from seg3b_assets.consume.arguments import Column
from seg3b_assets.consume.tree import PublishedRun
from seg3b_assets.laws.alias import AliasTables
from seg3b_assets.laws.alias_slices import parse_slices, routed_cells
from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.plain_files import MAX_BLOB_BYTES, read_plain
from seg3b_assets.laws.randomness import Stream
from seg3b_assets.laws.zone_clock import offsets_at

_REMEDY: Final = (
    "Route virtual merchants of this run only, with uniforms strictly between 0 and 1; "
    "virtual_merchants(run) lists them."
)
I64 = NDArray[np.int64]


def local_times(instants: Column, tzids: Column | str) -> pl.Series:
    """The wall clock in each row's zone.

    Args:
        instants: datetimes, one per event; without a zone of their own they are UTC.
        tzids: zone names, text or categories, one per event. One value of either is taken for all rows of the other.

    Returns:
        datetime[μs] without a zone.

    Raises:
        Seg3BError: ``INPUT_SCHEMA_MISMATCH`` naming the argument and, counted from 0, its row: a null, what is no
            datetime or no zone, columns of different lengths.
    """
    return _local_times(instants, tzids, "tzids")


def settlement_days(instants: Column, tzid_settlement: Column | str) -> pl.Series:
    """The day each event settles on; arguments and errors as ``local_times``. Returns dates."""
    return _local_times(instants, tzid_settlement, "tzid_settlement").dt.date().rename("settlement_day")


def _local_times(instants: Column, tzids: Column | str, argument: str) -> pl.Series:
    micros, names = arguments.instants(instants), arguments.zones(argument, tzids)
    length = names.shape[0] if micros.shape[0] == 1 else micros.shape[0]
    micros, names = arguments.spread("instants", micros, length), arguments.spread(argument, names, length)
    seconds = np.floor_divide(micros, 1_000_000)
    offsets = np.zeros(length, np.int64)
    for tzid, rows in _rows_by(pl.Series(names.tolist(), dtype=pl.String)):
        offsets[rows] = offsets_at(tzid, seconds[rows])
    return pl.Series("local_time", micros + offsets * 1_000_000).cast(pl.Datetime("us"))


def _rows_by(tzids: pl.Series) -> list[tuple[str, I64]]:
    grouped = pl.DataFrame({"tzid": tzids}).with_row_index("row").group_by("tzid").agg("row").sort("tzid")
    return [
        (str(tzid), rows.to_numpy().astype(np.int64))
        for tzid, rows in zip(grouped["tzid"], grouped["row"], strict=True)
    ]


U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]

_CATALOGUE, _SETTLEMENT = "edge_catalogue_3B", "virtual_settlement_3B"
DISABLED: Final = "disable_virtual"
_EDGE_COLUMNS: Final = ("merchant_id", "edge_id", "edge_weight")
# Receipt field: what the bindings call it.
_RECEIPT: Final = {
    "ip_country": "ip_country_field",
    "ip_latitude": "ip_latitude_field",
    "ip_longitude": "ip_longitude_field",
    "tzid_operational": "tzid_operational_field",
    "tzid_settlement": "tzid_settlement_field",
}


@dataclass(frozen=True)
class Router:
    """Draws edges of one run.

    Attributes:
        merchant_id: u64 (merchants,), ascending.
        tables: alias tables, flat, in that order; cell k is row k of ``edges``.
        edges: the catalogue's rows: merchant_id, edge_id, edge_weight, and the receipt's fields as the
            bindings say: ip_country, ip_latitude, ip_longitude (degrees), tzid_operational,
            tzid_settlement.
        stream: the addressed stream the routing policy names.
        modes: virtual, hybrid or disable_virtual by merchant_id, of the merchants the routing policy overrides; no
            edge is drawn for one whose virtual routing is disabled.
    """

    merchant_id: U64
    tables: AliasTables
    edges: pl.DataFrame
    stream: Stream
    modes: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, run: PublishedRun) -> Router:
        """Read what routing needs of a run.

        Raises:
            Seg3BError: ``INPUT_OPEN_FAILED``, ``INPUT_SCHEMA_MISMATCH`` when parts do not fit together.
        """
        policy = run.document("virtual_routing_policy_3B")
        edges = _edges(run)
        merchant_id, lengths = np.unique(edges["merchant_id"].to_numpy(), return_counts=True)
        blob = _blob(run)
        tables = parse_slices(blob, run.table("edge_alias_index_3B"), merchant_id, lengths.astype(np.int64))
        label = policy["virtual_edge_rng_binding"]["substream_label"]
        modes = {int(one["merchant_id"]): str(one["mode"]) for one in policy.get("overrides", ())}
        return cls(merchant_id, tables, edges, Stream.of(run.identity, label), modes)

    def draw(self, merchant_ids: Column, events: Column | None = None, uniforms: Column | None = None) -> I64:
        """The row of ``edges`` each event picks.

        Args:
            merchant_ids: whole numbers (n,), one per event: NumPy, polars or a list; never floats.
            events: u64 (n,), event number within its merchant, from 0; ``event_numbers`` of the merchants if
                None, that is, in the order given.
            uniforms: float64 (n,) in (0, 1), to be used instead of the addressed stream's. One value of either is taken
                for all events.

        Raises:
            Seg3BError: ``INPUT_SCHEMA_MISMATCH`` naming the argument and, counted from 0, its row: a merchant without
                edges, a float, a null, a negative number, a uniform outside (0, 1), columns of different lengths.
        """
        wanted = arguments.whole_numbers("merchant_ids", merchant_ids)
        segment = self._segments(wanted)
        if uniforms is not None:
            drawn = arguments.spread("uniforms", arguments.uniforms(uniforms), wanted.shape[0])
        elif events is None:
            drawn = self.stream.uniform(wanted, event_numbers(wanted))
        else:
            numbers = arguments.spread("events", arguments.whole_numbers("events", events), wanted.shape[0])
            drawn = self.stream.uniform(wanted, numbers)
        return routed_cells(self.tables, segment, drawn)

    def route(
        self, merchant_ids: Column, events: Column | None = None, uniforms: Column | None = None
    ) -> pl.DataFrame:
        """A receipt per event, in the order given; arguments and errors as ``draw``.

        Returns:
            merchant_id u64, edge_id, edge_weight f64, ip_country, ip_latitude f64, ip_longitude f64,
            tzid_operational, tzid_settlement.
        """
        rows = self.draw(merchant_ids, events, uniforms)
        return self.edges[rows]

    def sample(self, merchant_id: int, count: int, first_event: int = 0) -> pl.DataFrame:
        """The first picks of one merchant, or ``count`` from ``first_event`` on, with their event number."""
        first, many = arguments.count("first_event", first_event), arguments.count("count", count)
        arguments.count("first_event + count", first + many)
        events = np.arange(first, first + many, dtype=np.uint64)
        [merchant] = arguments.whole_numbers("merchant_id", [merchant_id])
        routed = self.route(np.full(many, merchant, np.uint64), events)
        return routed.insert_column(1, pl.Series("event", events))

    def _segments(self, wanted: U64) -> I64:
        if not self.merchant_id.size:
            if wanted.size:
                place = f"merchant_ids[0]: merchant {wanted[0]}"
                raise fail("merchant_is_virtual", place, _REMEDY, virtual_merchants=0)
            return np.zeros(0, np.int64)
        segment = np.searchsorted(self.merchant_id, wanted).clip(max=self.merchant_id.shape[0] - 1)
        unknown = self.merchant_id[segment] != wanted
        if unknown.any():
            row = int(np.flatnonzero(unknown)[0])
            place = f"merchant_ids[{row}]: merchant {wanted[row]}"
            raise fail("merchant_is_virtual", place, _REMEDY, events=int(unknown.sum()))
        disabled = [merchant for merchant, mode in self.modes.items() if mode == DISABLED]
        barred = np.isin(wanted, np.array(disabled, np.uint64))
        if barred.any():
            place = f"merchant {wanted[int(np.flatnonzero(barred)[0])]}"
            events = int(barred.sum())
            raise fail("merchant_is_routed_virtually", place, _REMEDY, events=events, mode=DISABLED)
        return segment.astype(np.int64)


def event_numbers(merchant_ids: Column) -> U64:
    """0, 1, 2, … within each merchant, in the order given; u64 (n,).

    The number is the event's address: carry it with the event, and the pick can be drawn again.
    """
    ids = arguments.whole_numbers("merchant_ids", merchant_ids)
    order = np.argsort(ids, kind="stable")
    ranked = ids[order]
    first = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])[: ids.shape[0]])
    begins = np.repeat(first, np.diff(np.append(first, ids.shape[0])))
    numbers = np.empty(ids.shape[0], np.uint64)
    numbers[order] = (np.arange(ids.shape[0]) - begins).astype(np.uint64)
    return numbers


def _blob(run: PublishedRun) -> bytes:
    path = run.path("edge_alias_blob_3B")
    try:
        return read_plain(path, MAX_BLOB_BYTES)
    except OSError as error:
        raise fail(
            "run_readable",
            str(path),
            "Export the run again: its alias tables cannot be read.",
            reason=error.strerror,
        ) from error


def _edges(run: PublishedRun) -> pl.DataFrame:
    """The catalogue with the receipt's fields; low-cardinality texts as categories, which are quick to take."""
    bindings = run.document("virtual_routing_bindings_3B")["bindings"]
    by_name = {binding["bound_as"]: binding for binding in bindings}
    sources = {name: by_name[key] for name, key in _RECEIPT.items()}
    of_merchant = {
        name: source["column"] for name, source in sources.items() if source["dataset"] == _SETTLEMENT
    }
    of_edge = {name: source["column"] for name, source in sources.items() if name not in of_merchant}
    columns = dict.fromkeys((*_EDGE_COLUMNS, *of_edge.values()))
    edges = run.table(_CATALOGUE, list(columns)).select(
        *_EDGE_COLUMNS, *(pl.col(column).alias(name) for name, column in of_edge.items())
    )
    settled = run.table(_SETTLEMENT, list(dict.fromkeys(("merchant_id", *of_merchant.values())))).select(
        "merchant_id", *(pl.col(column).alias(name) for name, column in of_merchant.items())
    )
    joined = edges.join(settled, on="merchant_id", how="left", maintain_order="left")
    texts = [name for name in _RECEIPT if joined.schema[name] == pl.String]
    return joined.select(*_EDGE_COLUMNS, *_RECEIPT).with_columns(pl.col(texts).cast(pl.Categorical))
