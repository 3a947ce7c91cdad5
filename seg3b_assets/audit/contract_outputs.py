"""What S4 publishes besides its contract, re-audited (law section 6): routing policy, bindings, results, run summary.

Routing policy, bindings and run summary are compiled again from policies and digests. The contract's results are
measured again, and the decisions taken again: the metrics are realism's, one registry for everybody, so the first route
only tells whether the published table is what they give. The second holds each decision against its terms, and measures
again, by sums over the tables, what can be written in a line. The pairs' divergence and the routing probe have no
second route. A tree damaged too far to be measured is the other checks' finding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import polars as pl

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.contract_rows import CONTRACT, TERMS
from seg3b_assets.audit.profile import far_apart_km
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import by_own_id, published_id
from seg3b_assets.contracts.published import column_anchor
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets.laws.plain_files import MAX_BLOB_BYTES, read_plain
from seg3b_assets.policies import PolicySet, VirtualRoutingFields
from seg3b_assets.realism import SeedOutputs
from seg3b_assets.realism.contract_run import run_contract

ROUTING: Final = "virtual_routing_policy_3B"
BINDINGS: Final = "virtual_routing_bindings_3B"
_FILLED: Final = (
    "tzid_settlement",
    "tzid_operational",
    "settlement_day",
    "ip_country",
    "ip_latitude",
    "ip_longitude",
)
_ARTEFACTS: Final = {
    "edge_catalogue_index": "edge_catalogue_index_3B",
    "edge_alias_blob": "edge_alias_blob_3B",
    "edge_alias_index": "edge_alias_index_3B",
}
_MANIFEST_KEYS: Final = {
    "alias_blob_manifest_key": "mlr.3B.s3.edge_alias_blob",
    "alias_index_manifest_key": "mlr.3B.s3.edge_alias_index",
    "edge_universe_hash_manifest_key": "mlr.3B.validation.edge_universe_hash",
}

RESULTS: Final = "virtual_validation_results_3B"
# Published values are snapped, and sums are taken in another order.
_TOLERANCE: Final = 1e-6

Frames = Mapping[str, pl.DataFrame]


@check("S4.routing_bindings", "§6 routing policy", "a binding is not what policies and datasets give")
@check(
    "S4.cdn_key_digest",
    "§6 cdn_key_digest",
    "the digest is not that of the country weights",
    code="DIGEST_COMPONENT_MISMATCH",
)
@check(
    "S4.universe_binding",
    "§6 routing policy",
    "the policy routes over another edge universe",
    code="DIGEST_COMPONENT_MISMATCH",
)
def audit_routing(context: AuditContext, universe_hash: str | None) -> None:
    """The routing policy against policies and the universe hash.

    Args:
        universe_hash: as S3 published it; None where it is not at hand.
    """
    document = context.document(ROUTING)
    if document is None:
        return
    expected = _bindings(context)
    free = {"edge_universe_hash", "cdn_key_digest"}
    for key in sorted(set(expected) | set(document) - free):
        context.findings.equal("S4.routing_bindings", document.get(key), expected.get(key), key=key)
    digest = cdn_key_digest(context.tree.policies)
    context.findings.compare_digest(
        "virtual_routing_policy.cdn_key_digest", document["cdn_key_digest"], digest
    )
    context.findings.equal("S4.cdn_key_digest", document["cdn_key_digest"], digest)
    if universe_hash is None:
        context.findings.skip("the universe hash is not at hand", "S4.universe_binding")
        return
    bound = document["edge_universe_hash"]
    context.findings.compare_digest("virtual_routing_policy.edge_universe_hash", bound, universe_hash)
    context.findings.equal("S4.universe_binding", bound, universe_hash)


def _bindings(context: AuditContext) -> dict[str, Any]:
    """What the policies alone say the routing policy is."""
    policies, identity = context.tree.policies, context.tree.identity
    fields, rng, validation = policies.virtual_routing_fields, policies.route_rng, policies.virtual_validation
    keys = ("merchant_id", "mode", "notes")
    modes = [{key: getattr(one, key) for key in keys} for one in fields.modes(identity.created_utc)]
    return {
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "routing_policy_id": published_id("route_rng"),
        "routing_policy_version": rng.version,
        "virtual_validation_policy_id": published_id("virtual_validation"),
        "virtual_validation_policy_version": validation.version,
        "alias_layout_version": policies.alias_layout.layout_version,
        **_MANIFEST_KEYS,
        "dual_timezone_semantics": {
            "tzid_settlement_field": fields.tzid_settlement_field,
            "tzid_operational_field": fields.tzid_operational_field,
            "settlement_cutoff_rule": fields.settlement_cutoff_rule,
        },
        "geo_field_bindings": {
            key: getattr(fields, key)
            for key in ("ip_country_field", "ip_latitude_field", "ip_longitude_field")
        },
        "artefact_paths": {
            key: contract(dataset).relative_path(identity) for key, dataset in _ARTEFACTS.items()
        },
        "virtual_edge_rng_binding": {
            "module": rng.module,
            "substream_label": rng.substream_label,
            "event_schema": rng.event_schema,
        },
        **({"overrides": modes} if modes else {}),
        "notes": f"What fills these fields, and {fields.settlement_day_field} for the settlement day: "
        f"{BINDINGS} in {contract(BINDINGS).relative_path(identity)}",
    }


@check("S4.field_bindings", "§6 routing bindings", "an event field is filled by another column or rule")
def audit_bindings(context: AuditContext) -> None:
    """``virtual_routing_bindings_3B``: each event field, and the column or rule it is filled by."""
    document = context.document(BINDINGS)
    if document is None:
        context.findings.skip("the bindings are not at hand", "S4.field_bindings")
        return
    fields = context.tree.policies.virtual_routing_fields
    expected: dict[str, Any] = {
        "manifest_fingerprint": context.tree.identity.manifest_fingerprint,
        "parameter_hash": context.tree.identity.parameter_hash,
        "policy_id": fields.policy_id,
        "policy_version": fields.version,
        "policy_sha256": context.tree.policies.files["virtual_routing_fields"].sha256,
    }
    for key, value in expected.items():
        context.findings.equal("S4.field_bindings", document[key], value, key=key)
    found = {row["event_field"]: row for row in document["bindings"]}
    wanted = {row["event_field"]: row for row in map(partial(_filled, fields), _FILLED)}
    for field in sorted(found.keys() | wanted.keys()):
        context.findings.equal("S4.field_bindings", found.get(field), wanted.get(field), event_field=field)


def _filled(fields: VirtualRoutingFields, name: str) -> dict[str, Any]:
    """How a field is filled; the day by a rule, from the zone it settles in."""
    by_rule = name == "settlement_day"
    source = fields.tzid_settlement_source if by_rule else getattr(fields, f"{name}_source")
    dataset, _, column = str(source).partition(".")
    of_edge = "edge_id" in contract(dataset).schema["properties"]
    return {
        "event_field": getattr(fields, f"{name}_field"),
        "bound_as": f"{name}_field",
        "dataset": dataset,
        "column": column,
        "schema_anchor": column_anchor(by_own_id()[dataset].schema_ref, column),
        "join_keys": ["merchant_id", "edge_id"] if of_edge else ["merchant_id"],
        "rule": fields.settlement_cutoff_rule if by_rule else "AS_PUBLISHED",
    }


def cdn_key_digest(policies: PolicySet) -> str:
    """SHA-256 over LF-terminated lines: policy id and version, the median budget, each country's weight."""
    weights = policies.cdn_country_weights
    text = f"policy_id={weights.policy_id}\npolicy_version={weights.version}\n"
    text += "edge_scale=%d\n" % policies.edge_topology.budget.median  # noqa: UP031 - the law's own format
    for row in sorted(weights.countries, key=lambda country: country.country_iso):
        text += "country=%s|weight=%.12f\n" % (row.country_iso, row.weight)  # noqa: UP031
    return sha256_hex(text.encode())


@check("S4.run_summary", "§6 summary", "a total in s4_run_summary_3B was edited")
def audit_run_summary(context: AuditContext) -> None:
    """What ``s4_run_summary_3B`` says S4 compiled from."""
    summary = context.document("s4_run_summary_3B")
    if summary is None:
        return
    policies = context.tree.policies
    expected = {
        "status": "PASS",
        "cdn_key_digest": cdn_key_digest(policies),
        "routing_policy_version": policies.route_rng.version,
        "virtual_validation_digest": policies.files["virtual_validation"].sha256,
    }
    for key, value in expected.items():
        context.findings.equal("S4.run_summary", summary.get(key), value, key=key)


def _spread(counts: pl.Series) -> float:
    """Coefficient of variation over everybody."""
    return _number(counts.std(ddof=0)) / _number(counts.mean())


def _share_filled(column: str) -> Callable[[Frames], float]:
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
    "rule_id_non_null_rate": _share_filled("rule_id"),
    "rule_version_non_null_rate": _share_filled("rule_version"),
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
