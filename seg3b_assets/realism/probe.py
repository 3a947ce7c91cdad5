"""The routing probe: picks drawn through the published alias blob, as a router draws them (law 6).

Every virtual merchant gets the same number of events on the addressed stream ``3B_S4_probe``: not the
router's own, whose uniforms it would use up before the router does. An event becomes a receipt (IP country,
latitude and longitude, operational and settlement zone, settlement day) whose fields are bound by policy;
receipts are checked against the published tables and counted. It judges nothing: see ``probe_metrics``.
Instants are spread evenly over the policy's window, from the upstream receipt's date.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.alias import HEADER_BYTES, AliasTables, pick
from seg3b_assets.laws.alias_slices import routed_cells
from seg3b_assets.laws.apportionment import segment_starts
from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.randomness import ROUTING_PROBE, Stream
from seg3b_assets.laws.zone_clock import ZoneClock
from seg3b_assets.policies import VirtualRoutingFields
from seg3b_assets.policies.validation import Probe
from seg3b_assets.realism.outputs import SeedOutputs
from seg3b_assets.realism.population import dense_codes
from seg3b_assets.realism.probe_tallies import ProbeTallies

I64 = NDArray[np.int64]
BOOL = NDArray[np.bool_]

_PICKS_PER_CHUNK: Final = 1 << 20
_MERCHANTS_REDRAWN: Final = 32
_RECEIPT_FIELDS: Final = {
    "ip_country": "ip_country_source",
    "ip_latitude": "ip_latitude_source",
    "ip_longitude": "ip_longitude_source",
    "tzid_operational": "tzid_operational_source",
    "tzid_settlement": "tzid_settlement_source",
}


def run_probe(
    outputs: SeedOutputs, tables: AliasTables, policy: Probe, fields: VirtualRoutingFields
) -> ProbeTallies:
    """Draw every merchant's picks and count what came of them.

    Raises:
        Seg3BError: ``S4 FIELD_BINDING_INVALID`` when a bound field is no column of the routed tables.
    """
    probe = RoutingProbe.of(outputs, tables, policy, fields)
    merchants = outputs.settlement.height
    step = max(_PICKS_PER_CHUNK // policy.picks_per_merchant, 1)
    parts = [
        probe.tally(np.arange(start, min(start + step, merchants))) for start in range(0, merchants, step)
    ]
    stacked = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0), np.int64)
    return ProbeTallies(
        policy=policy,
        edge_picks=probe.edge_picks,
        day_differs=stacked[0],
        day_mismatches=stacked[1],
        receipt_mismatches=np.minimum(stacked[2] + probe.not_redrawn(), policy.picks_per_merchant),
    )


@dataclass(frozen=True)
class RoutingProbe:
    """A router over one seed's published outputs.

    Attributes:
        zones: every zone name in use; ``days`` is their calendar day at each instant of the window.
        edge_zone, settlement_zone: rows of ``zones``.
        columns: the source column of each receipt field, by edge or by merchant.
        instant: int64 (events,), which instant of the window each event falls on.
        edge_picks: counted as the probe runs.
    """

    outputs: SeedOutputs
    tables: AliasTables
    policy: Probe
    stream: Stream
    clock: ZoneClock
    zones: pl.Series
    days: I64
    edge_zone: I64
    settlement_zone: I64
    columns: dict[str, tuple[str, str]]
    instant: I64
    edge_picks: I64

    @classmethod
    def of(
        cls, outputs: SeedOutputs, tables: AliasTables, policy: Probe, fields: VirtualRoutingFields
    ) -> RoutingProbe:
        """Bind the receipt's fields and lay out the window."""
        operational = outputs.edges["tzid_operational"].rename("tzid")
        settlement = outputs.settlement["tzid_settlement"].rename("tzid")
        codes = dense_codes(pl.concat([operational, settlement]))
        zones = pl.concat([operational, settlement]).unique().sort()
        created = dt.date.fromisoformat(outputs.identity.created_utc[:10])
        clock = ZoneClock((created - dt.date(1970, 1, 1)).days, policy.window_days)
        events = np.arange(policy.picks_per_merchant, dtype=np.int64)
        return cls(
            outputs=outputs,
            tables=tables,
            policy=policy,
            stream=Stream.of(outputs.identity, ROUTING_PROBE),
            clock=clock,
            zones=zones,
            days=clock.days(zones.to_list()),
            edge_zone=codes[: len(operational)],
            settlement_zone=codes[len(operational) :],
            columns={
                name: _bound(outputs, name, getattr(fields, key)) for name, key in _RECEIPT_FIELDS.items()
            },
            instant=events * clock.instants.shape[0] // policy.picks_per_merchant,
            edge_picks=np.zeros(outputs.edges.height, np.int64),
        )

    def receipts(self, merchants: I64) -> pl.DataFrame:
        """Receipts of some merchants' events.

        Returns:
            merchant (row), merchant_id, event, instant (of the window), edge (row), edge_id, ip_country,
            ip_latitude, ip_longitude, tzid_operational, tzid_settlement, settlement_day (days since 1970).
        """
        ids = self.outputs.settlement["merchant_id"].to_numpy()
        events = np.arange(self.policy.picks_per_merchant, dtype=np.int64)
        merchant = np.repeat(merchants, events.shape[0])
        edge = self._picked(merchants)
        instant = np.tile(self.instant, merchants.shape[0])
        frame = pl.DataFrame(
            {
                "merchant": merchant,
                "merchant_id": ids[merchant],
                "event": np.tile(events, merchants.shape[0]),
                "instant": instant,
                "edge": edge,
                "edge_id": self.outputs.edges["edge_id"].gather(edge),
                **{name: self._field(name, edge, merchant) for name in _RECEIPT_FIELDS},
            }
        )
        cut = self.zones.search_sorted(frame["tzid_settlement"]).to_numpy()
        return frame.with_columns(settlement_day=self.days[cut, instant])

    def _picked(self, merchants: I64) -> I64:
        """Row of the edge each event picks, events of one merchant after another."""
        ids = self.outputs.settlement["merchant_id"].to_numpy()
        events = np.arange(self.policy.picks_per_merchant, dtype=np.int64)
        uniforms = self.stream.uniform(ids[merchants][:, None], events[None, :]).ravel()
        return routed_cells(self.tables, np.repeat(merchants, events.shape[0]), uniforms)

    def _field(self, name: str, edge: I64, merchant: I64) -> pl.Series:
        dataset, column = self.columns[name]
        if dataset == "edge_catalogue_3B":
            return self.outputs.edges[column].gather(edge)
        return self.outputs.settlement[column].gather(merchant)

    def tally(self, merchants: I64) -> I64:
        """Count some merchants' picks.

        Returns:
            int64 (3, merchants): picks whose settlement day differs from the day at the edge, that fall
            outside their settlement day, whose receipt contradicts the published tables.
        """
        receipts = self.receipts(merchants)
        edge, merchant = receipts["edge"].to_numpy(), receipts["merchant"].to_numpy()
        low, high = self._edge_range(merchants)
        self.edge_picks[low:high] += np.bincount(edge - low, minlength=high - low)
        day, instant = receipts["settlement_day"].to_numpy(), receipts["instant"].to_numpy()
        marks = (
            day != self.days[self.edge_zone[edge], instant],
            self._outside_day(merchant, day, instant),
            self._contradicted(receipts),
        )
        return np.stack(
            [np.bincount(merchant - merchants[0], mark, merchants.shape[0]) for mark in marks]
        ).astype(np.int64)

    def _edge_range(self, merchants: I64) -> tuple[int, int]:
        starts, lengths = segment_starts(self.tables.lengths), self.tables.lengths
        return int(starts[merchants[0]]), int(starts[merchants[-1]] + lengths[merchants[-1]])

    def _outside_day(self, merchant: I64, day: I64, instant: I64) -> BOOL:
        """Whether the instant is not between its settlement day's midnights in the published zone."""
        used = np.unique(self.settlement_zone)
        first, begins = self.clock.midnights(self.zones.gather(used).to_list())
        row = np.searchsorted(used, self.settlement_zone[merchant])
        column = np.clip(day - first, 0, begins.shape[1] - 2)
        second = self.clock.instants[instant]
        before, after = second < begins[row, column], second >= begins[row, column + 1]
        outside: BOOL = before | after | (column != day - first)
        return outside

    def _contradicted(self, receipts: pl.DataFrame) -> BOOL:
        """Whether a receipt lacks a field or differs from the catalogue row its edge_id names."""
        published = self.outputs.edges.join(
            self.outputs.settlement.select("merchant_id", "tzid_settlement"), on="merchant_id"
        )
        names = ["ip_country", "ip_latitude", "ip_longitude", "tzid_operational", "tzid_settlement"]
        sources = ["country_iso", "lat_deg", "lon_deg", "tzid_operational", "tzid_settlement"]
        looked_up = receipts.join(
            published.select(
                "merchant_id",
                "edge_id",
                *(pl.col(a).alias(f"of_{b}") for a, b in zip(sources, names, strict=True)),
            ),
            on=["merchant_id", "edge_id"],
            how="left",
            maintain_order="left",
        )
        agree = pl.all_horizontal((pl.col(name) == pl.col(f"of_{name}")).fill_null(False) for name in names)
        wrong: BOOL = looked_up.select(~agree).to_series().to_numpy()
        return wrong

    def not_redrawn(self) -> I64:
        """Events of a few merchants drawn again alone, from the merchant's own bytes: how many differ.

        A receipt must follow from (merchant_id, event number) and one slice of the blob, whoever draws it.
        """
        merchants = self.tables.lengths.shape[0]
        differing = np.zeros(merchants, np.int64)
        index = self.outputs.alias_index.filter(pl.col("scope") == "MERCHANT").sort("merchant_id")
        events = np.arange(self.policy.picks_per_merchant, dtype=np.int64)[::-1]
        for row in np.unique(
            np.linspace(0, merchants - 1, min(merchants, _MERCHANTS_REDRAWN)).astype(np.int64)
        ):
            offset, length = index["blob_offset_bytes"][int(row)], index["blob_length_bytes"][int(row)]
            pairs = np.frombuffer(self.outputs.alias_blob[offset + HEADER_BYTES : offset + length], "<u4")
            uniforms = self.stream.uniform(index["merchant_id"][int(row)], events)
            alone = pick(pairs[0::2], pairs[1::2], uniforms) + segment_starts(self.tables.lengths)[row]
            differing[row] = int((alone[::-1] != self._picked(np.array([row]))).sum())
        return differing


def _bound(outputs: SeedOutputs, name: str, anchor: str) -> tuple[str, str]:
    """The dataset and column an anchor names, when a router could read the field there."""
    dataset, _, column = anchor.partition(".")
    kind = pl.String if name.startswith(("tzid", "ip_country")) else pl.Float64
    allowed = {
        f"{source}.{candidate}": (source, candidate)
        for source, frame in (
            ("edge_catalogue_3B", outputs.edges),
            ("virtual_settlement_3B", outputs.settlement),
        )
        for candidate, dtype in frame.schema.items()
        if dtype == kind and candidate.startswith("tzid") == name.startswith("tzid")
    }
    if anchor in allowed:
        return dataset, column
    raise fail(
        "receipt_field_resolves",
        f"virtual_routing_fields.yaml:{name}_source",
        "Bind the field to a published column that a receipt can carry.",
        field=f"{name}_field",
        anchor=anchor,
        allowed=sorted(allowed),
    )
