"""The CDN key digest, against lines written by hand."""

from __future__ import annotations

import hashlib

from seg3b_assets.policies import CdnCountryWeights
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.states.s4_contract.routing_policy import cdn_key_digest, cdn_key_lines
from seg3b_assets_tests.states.miniature_upstream import POLICIES

WEIGHTS = CdnCountryWeights.model_validate(
    {
        "policy_id": "cdn_country_weights",
        "version": "1.2.3",
        "countries": (
            {"country_iso": "FR", "weight": 0.25, "region": "EUROPE"},
            {"country_iso": "NO", "weight": 0.000000000001, "region": "EUROPE"},
            {"country_iso": "US", "weight": 0.749999999999, "region": "AMERICAS"},
        ),
    }
)
BY_HAND = (
    b"policy_id=cdn_country_weights\n"
    b"policy_version=1.2.3\n"
    b"edge_scale=500\n"
    b"country=FR|weight=0.250000000000\n"
    b"country=NO|weight=0.000000000001\n"
    b"country=US|weight=0.749999999999\n"
)


def test_the_lines_are_the_laws() -> None:
    assert cdn_key_lines(WEIGHTS, 500.0) == BY_HAND
    assert cdn_key_digest(WEIGHTS, 500.0) == hashlib.sha256(BY_HAND).hexdigest()


def test_the_edge_scale_is_part_of_the_key() -> None:
    assert cdn_key_digest(WEIGHTS, 501.0) != cdn_key_digest(WEIGHTS, 500.0)


def test_the_shipped_weights_survive_twelve_places() -> None:
    weights = load_policies(POLICIES).cdn_country_weights
    lines = cdn_key_lines(weights, 500.0).decode().splitlines()[3:]
    read_back = {line[8:10]: float(line.partition("|weight=")[2]) for line in lines}
    assert read_back == {country.country_iso: country.weight for country in weights.countries}
