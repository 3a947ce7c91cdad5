"""The document ``virtual_routing_policy_3B``: what a router needs to know (law section 6)."""

from __future__ import annotations

from typing import Any, Final

from seg3b_assets.contracts import contract
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.policies import PolicySet
from seg3b_assets.states.s4_contract.bindings import bound_field
from seg3b_assets.states.s4_contract.cdn_key import cdn_key_digest

MANIFEST_KEYS: Final = {
    "alias_blob_manifest_key": "mlr.3B.s3.edge_alias_blob",
    "alias_index_manifest_key": "mlr.3B.s3.edge_alias_index",
    "edge_universe_hash_manifest_key": "mlr.3B.validation.edge_universe_hash",
}
ARTEFACTS: Final = {
    "edge_catalogue_index": "edge_catalogue_index_3B",
    "edge_alias_blob": "edge_alias_blob_3B",
    "edge_alias_index": "edge_alias_index_3B",
}
GEO_FIELDS: Final = ("ip_country_field", "ip_latitude_field", "ip_longitude_field")


def routing_policy(world: WorldIdentity, policies: PolicySet, universe_hash: str) -> dict[str, Any]:
    """Compile the routing policy.

    Args:
        universe_hash: of the published ``edge_universe_hash_3B``.

    Raises:
        Seg3BError: ``FIELD_BINDING_INVALID``.
    """
    fields, rng, validation = policies.virtual_routing_fields, policies.route_rng, policies.virtual_validation
    return {
        "manifest_fingerprint": world.manifest_fingerprint,
        "parameter_hash": world.parameter_hash,
        "edge_universe_hash": universe_hash,
        "routing_policy_id": fields.policy_id,
        "routing_policy_version": fields.version,
        "virtual_validation_policy_id": validation.policy_id,
        "virtual_validation_policy_version": validation.version,
        "cdn_key_digest": cdn_key_digest(policies.cdn_country_weights, policies.edge_topology.budget.median),
        "alias_layout_version": policies.alias_layout.layout_version,
        **MANIFEST_KEYS,
        "dual_timezone_semantics": {
            "tzid_settlement_field": bound_field(fields, "tzid_settlement_field"),
            "tzid_operational_field": bound_field(fields, "tzid_operational_field"),
            "settlement_cutoff_rule": fields.settlement_cutoff_rule,
        },
        "geo_field_bindings": {name: bound_field(fields, name) for name in GEO_FIELDS},
        "artefact_paths": {
            name: contract(dataset).relative_path(world) for name, dataset in ARTEFACTS.items()
        },
        "virtual_edge_rng_binding": {
            "module": rng.module,
            "substream_label": rng.substream_label,
            "event_schema": rng.event_schema,
        },
    }
