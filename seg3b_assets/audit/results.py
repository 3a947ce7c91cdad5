"""The contract's results re-audited (law section 6): measured again, and the decisions taken again.

The metrics are realism's, one registry for everybody, so the first route only tells whether the published table is what
they give. The second holds each decision against its terms, and measures again, by sums over the tables, what can be
written in a line. The pairs' divergence and the routing probe have no second route. A tree damaged too far to be
measured is the other checks' finding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import polars as pl

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.contract_rows import CONTRACT, TERMS
from seg3b_assets.audit.profile import far_apart_km
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.plain_files import MAX_BLOB_BYTES, read_plain
from seg3b_assets.realism import SeedOutputs
from seg3b_assets.realism.contract_run import run_contract

RESULTS: Final = "virtual_validation_results_3B"
# Published values are snapped, and sums are taken in another order.
_TOLERANCE: Final = 1e-6

Frames = Mapping[str, pl.DataFrame]


def _spread(counts: pl.Series) -> float:
    """Coefficient of variation over everybody."""
    return _number(counts.std(ddof=0)) / _number(counts.mean())


def _filled(column: str) -> Callable[[Frames], float]:
    return lambda frames: _number(
        (frames["classification"][column].fill_null("").str.strip_chars() != "").mean()
    )


def _of_edges(what: pl.Expr) -> Callable[[Frames], pl.Series]:
    return lambda frames: frames["catalogue"].group_by("merchant_id").agg(what=what)["what"]


def _with_distances(frames: Frames) -> Frames:
    """The catalogue with ``distance``, of each edge to its merchant's settlement."""
    places = frames["settlement"].select("merchant_id", home_lon="lon_deg", home_lat="lat_deg")
    edges = frames["catalogue"].join(places, on="merchant_id", how="inner")
    points = (edges[name].to_numpy() for name in ("home_lon", "home_lat", "lon_deg", "lat_deg"))
    kept = edges.select(
        "merchant_id", "country_iso", "edge_weight", distance=pl.Series(far_apart_km(*points))
    )
    return {**frames, "catalogue": kept}


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


_edges, _countries = _of_edges(pl.len()), _of_edges(pl.col("country_iso").n_unique())
_heaviest = _of_edges(pl.col("edge_weight").max())
_AGAIN: Final[Mapping[str, Callable[[Frames], float]]] = {
    "edges_per_merchant_cv": lambda frames: _spread(_edges(frames)),
    "countries_per_merchant_cv": lambda frames: _spread(_countries(frames)),
    "top1_share_p50": lambda frames: _number(_heaviest(frames).median()),
    "settlement_overlap_median": lambda frames: _number(frames["profile"]["settlement_overlap"].median()),
    "settlement_overlap_p75": lambda frames: _number(
        frames["profile"]["settlement_overlap"].quantile(0.75, "linear")
    ),
    "settlement_distance_median_km": lambda frames: _number(frames["catalogue"]["distance"].median()),
    "settlement_unique_coord_ratio": lambda frames: (
        frames["settlement"].select("lat_deg", "lon_deg").n_unique() / frames["settlement"].height
    ),
    "settlement_tzid_top1_share": lambda frames: (
        _number(frames["settlement"]["tzid_settlement"].value_counts()["count"].max())
        / frames["settlement"].height
    ),
    "rule_id_non_null_rate": _filled("rule_id"),
    "rule_version_non_null_rate": _filled("rule_version"),
}


@check("S4.results", "§6 the contract runs", "a result is not what measuring the published snapshot gives")
def audit_results(context: AuditContext, tables: dict[str, pl.DataFrame | None]) -> None:
    """Run the contract again.

    Args:
        tables: merchants, classification, settlement (located), profile and catalogue; None where unreadable.
    """
    published, contract, terms = context.table(RESULTS), context.table(CONTRACT), context.table(TERMS)
    index, blob = context.table("edge_alias_index_3B"), _blob(context)
    if published is None or contract is None or terms is None:
        return
    if index is None or blob is None or any(frame is None for frame in tables.values()):
        context.findings.skip("a dataset it is measured from is missing or unreadable", "S4.results")
        return
    frames = {name: frame for name, frame in tables.items() if frame is not None}
    try:
        outputs = SeedOutputs(
            identity=context.tree.identity,
            merchants=frames["merchants"],
            classification=frames["classification"],
            settlement=frames["settlement"],
            profile=frames["profile"],
            edges=frames["catalogue"],
            alias_index=index,
            alias_blob=blob,
        )
        again = run_contract(outputs, contract, terms, context.tree.policies, context.workers)
    except (Seg3BError, OSError, ValueError, LookupError, pl.exceptions.PolarsError) as error:
        context.findings.skip(f"the tree cannot be measured: {str(error)[:160]}", "S4.results")
        return
    context.findings.compare_keyed("S4.results", published.to_dicts(), again.to_dicts(), "test_id")
    if not context.findings.failed("S4.results"):
        _decided(context, published, contract, terms)
        _measured(context, published, frames)


def _decided(
    context: AuditContext, published: pl.DataFrame, contract: pl.DataFrame, terms: pl.DataFrame
) -> None:
    """A value within its terms passes, one outside blocks or warns, and one that is none is neither."""
    rows = published.select("test_id", "measured", "status").join(
        contract.select("test_id", "severity", "enabled"), on="test_id", maintain_order="left"
    )
    rows = rows.join(
        terms.select("test_id", "operator", "value", "low", "high"), on="test_id", maintain_order="left"
    )
    at_least = pl.when(operator="range").then("low").when(operator=">=").then("value")
    at_most = pl.when(operator="range").then("high").when(operator="<=").then("value")
    outside = (pl.col("measured") < at_least).fill_null(False) | (pl.col("measured") > at_most).fill_null(
        False
    )
    missed = pl.when(severity="BLOCKING").then(pl.lit("FAIL")).otherwise(pl.lit("WARN"))
    status = (
        pl.when(pl.col("measured").is_null() | ~pl.col("enabled"))
        .then(pl.lit("NOT_APPLICABLE"))
        .when(outside)
        .then(missed)
        .otherwise(pl.lit("PASS"))
    )
    context.findings.compare("S4.results", rows, rows.select(status=status), ("test_id",))


def _measured(context: AuditContext, published: pl.DataFrame, frames: Frames) -> None:
    """The values that a line of sums gives, over everybody and by class."""
    classes = frames["profile"].select("merchant_id", "virtual_class")
    of_class: dict[str | None, Frames] = {None: _with_distances(frames)}
    for name in classes["virtual_class"].unique():
        whose = classes.filter(pl.col("virtual_class") == name)
        of_class[name] = {
            key: frame.join(whose, on="merchant_id", how="semi") for key, frame in of_class[None].items()
        }
    for row in published.filter(
        pl.col("metric").is_in(list(_AGAIN)) & pl.col("measured").is_not_null()
    ).to_dicts():
        asked = of_class[row["virtual_class"]]
        expected = _AGAIN[row["metric"]](asked)
        if not abs(expected - row["measured"]) <= _TOLERANCE * max(1.0, abs(expected)):
            example = {"test_id": row["test_id"], "metric": row["metric"], "route": "sums over the tables"}
            context.findings.fail(
                "S4.results", 1, {**example, "expected": expected, "found": row["measured"]}
            )


def _blob(context: AuditContext) -> bytes | None:
    path = context.tree.datasets.get("edge_alias_blob_3B")
    try:
        return read_plain(path, MAX_BLOB_BYTES) if path else None
    except OSError:
        return None
