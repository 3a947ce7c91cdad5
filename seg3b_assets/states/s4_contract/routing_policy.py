"""The documents ``virtual_routing_policy_3B`` and ``virtual_routing_bindings_3B``: what a router needs to know.

The first speaks of the router's event by the layer's names; where a field's value comes from has no place in it
and is in the second (law section 6).

The CDN key digest: the country mix a router may key on, whatever its file's layout (law section 6).
"""

from __future__ import annotations

from typing import Any, Final

from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import published_id
from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.policies import CdnCountryWeights, PolicySet, VirtualRoutingFields
from seg3b_assets.states.s4_contract.bindings import FIELD_TYPES, bound_source
from seg3b_assets.states.s4_contract.declarations import schema_anchor


def cdn_key_lines(weights: CdnCountryWeights, edge_scale: float) -> bytes:
    """The LF-terminated lines under the digest.

    Args:
        weights: the country weights policy; its id and version head the lines.
        edge_scale: edges, the median budget of ``edge_topology``; written as a whole number.
    """
    lines = [
        f"policy_id={weights.policy_id}",
        f"policy_version={weights.version}",
        f"edge_scale={int(edge_scale)}",
    ]
    ordered = sorted(weights.countries, key=lambda country: country.country_iso)
    lines += [f"country={country.country_iso}|weight={country.weight:.12f}" for country in ordered]
    return "".join(f"{line}\n" for line in lines).encode()


def cdn_key_digest(weights: CdnCountryWeights, edge_scale: float) -> str:
    """SHA-256 of ``cdn_key_lines``."""
    return sha256_hex(cdn_key_lines(weights, edge_scale))


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
BINDINGS: Final = "virtual_routing_bindings_3B"
AS_PUBLISHED: Final = "AS_PUBLISHED"
DAY_FIELD: Final = "settlement_day_field"
ZONE_FIELD: Final = "tzid_settlement_field"
JOIN_KEYS: Final = ("merchant_id", "edge_id")
GEO_FIELDS: Final = ("ip_country_field", "ip_latitude_field", "ip_longitude_field")


def routing_policy(world: WorldIdentity, policies: PolicySet, universe_hash: str) -> dict[str, Any]:
    """Compile the routing policy.

    Args:
        universe_hash: of the published ``edge_universe_hash_3B``.
    """
    fields, rng, validation = policies.virtual_routing_fields, policies.route_rng, policies.virtual_validation
    return {
        "manifest_fingerprint": world.manifest_fingerprint,
        "parameter_hash": world.parameter_hash,
        "edge_universe_hash": universe_hash,
        "routing_policy_id": published_id(rng.policy_id),
        "routing_policy_version": rng.version,
        "virtual_validation_policy_id": published_id(validation.policy_id),
        "virtual_validation_policy_version": validation.version,
        "cdn_key_digest": cdn_key_digest(policies.cdn_country_weights, policies.edge_topology.budget.median),
        "alias_layout_version": policies.alias_layout.layout_version,
        **MANIFEST_KEYS,
        "dual_timezone_semantics": {
            "tzid_settlement_field": fields.tzid_settlement_field,
            "tzid_operational_field": fields.tzid_operational_field,
            "settlement_cutoff_rule": fields.settlement_cutoff_rule,
        },
        "geo_field_bindings": {name: getattr(fields, name) for name in GEO_FIELDS},
        "artefact_paths": {
            name: contract(dataset).relative_path(world) for name, dataset in ARTEFACTS.items()
        },
        "virtual_edge_rng_binding": {
            "module": rng.module,
            "substream_label": rng.substream_label,
            "event_schema": rng.event_schema,
        },
        **_overrides(fields, world.created_utc),
        "notes": routing_notes(world, fields),
    }


def _overrides(fields: VirtualRoutingFields, created_utc: str) -> dict[str, Any]:
    """Merchants a router treats otherwise; no member where there are none."""
    rows = [
        {"merchant_id": one.merchant_id, "mode": one.mode, "notes": one.notes}
        for one in fields.modes(created_utc)
    ]
    return {"overrides": rows} if rows else {}


def routing_notes(world: WorldIdentity, fields: VirtualRoutingFields) -> str:
    """What the published object has no key for, in a sentence."""
    path = contract(BINDINGS).relative_path(world)
    return f"What fills these fields, and {fields.settlement_day_field} for the settlement day: {BINDINGS} in {path}"


def routing_bindings(world: WorldIdentity, policies: PolicySet) -> dict[str, Any]:
    """Compile the bindings.

    Raises:
        Seg3BError: ``FIELD_BINDING_INVALID``.
    """
    fields = policies.virtual_routing_fields
    rows = [_binding(fields, name, name, AS_PUBLISHED) for name in FIELD_TYPES]
    rows.append(_binding(fields, DAY_FIELD, ZONE_FIELD, fields.settlement_cutoff_rule))
    return {
        "manifest_fingerprint": world.manifest_fingerprint,
        "parameter_hash": world.parameter_hash,
        "policy_id": fields.policy_id,
        "policy_version": fields.version,
        "policy_sha256": policies.files[fields.policy_id].sha256,
        "bindings": sorted(rows, key=lambda row: str(row["event_field"])),
    }


def _binding(fields: VirtualRoutingFields, name: str, source: str, rule: str) -> dict[str, Any]:
    """One field; the settlement day looks at the source of another, its zone."""
    dataset, column = bound_source(fields, source)
    return {
        "event_field": getattr(fields, name),
        "bound_as": name,
        "dataset": dataset,
        "column": column,
        "schema_anchor": schema_anchor(f"{dataset}.{column}"),
        "join_keys": [key for key in JOIN_KEYS if key in contract(dataset).polars_schema],
        "rule": rule,
    }
