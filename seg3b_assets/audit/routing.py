"""S4's routing policy and run summary re-audited (law section 6): compiled again from policies and digests."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import by_own_id, published_id
from seg3b_assets.contracts.published import column_anchor
from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets.policies import PolicySet, VirtualRoutingFields

CONTRACT: Final = "virtual_validation_contract_3B"
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
