"""The CDN key digest: the country mix a router may key on, whatever its file's layout (law section 6)."""

from __future__ import annotations

from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets.policies import CdnCountryWeights


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
