"""``input_findings_3B``: what the countries of the policies are without, and what is odd about the maps.

Found statically, for every seed of a world alike: a country of the prior that has no polygon, no tiles or no zones
leaves the prior or stops the run, as the policy says; a merchant's home, or a seat, without them always stops it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from seg3b_assets.contracts import contract
from seg3b_assets.inputs.tables import read_table
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.map_findings import COUNTRY_LEFT_PRIOR, MapFinding
from seg3b_assets.laws.visible_text import story
from seg3b_assets.states.s0_gate.maps import Maps, read_maps
from seg3b_assets.states.tile_files import SURFACES, files_by_country

if TYPE_CHECKING:
    from seg3b_assets.inputs.sealed import SealedInputs
    from seg3b_assets.policies import PolicySet
    from seg3b_assets.states.context import StateContext

FINDINGS: Final = "input_findings_3B"
MERCHANTS: Final = "transaction_schema_merchant_ids"
PRIOR: Final = "cdn_country_weights"
NEEDS: Final = ("polygon", "tiles", "zones")
_COVER: Final = (
    "Give every country named its polygon in world_countries, its files in the three tile surfaces and its zones in "
    "tz_world; or take it out of where it is named."
)

LOG = story("run")


def input_findings(context: StateContext) -> dict[str, Any]:
    """The document ``input_findings_3B``; each finding is a line of the log.

    Raises:
        Seg3BError: ``INPUT_SCHEMA_MISMATCH`` for borders that are none, and for a home without polygon, tiles or
            zones; ``POLICY_SCHEMA_INVALID`` for a seat without them, or a country of the prior where the policy
            refuses such.
    """
    inputs, policies, world = context.inputs, context.policies, context.identity
    maps = read_maps(inputs)
    covered = covered_countries(inputs, maps)
    for error in (*uncovered_homes(inputs, covered), *uncovered_policies(policies, covered)):
        raise error
    lacking = _prior_lacking(policies, covered)
    left = left_prior(policies, covered)
    findings = sorted([*maps.findings(), *left])
    for finding in findings:
        LOG.warning("S0 finding: %s", finding.sentence)
    return {
        "seed": world.seed,
        "manifest_fingerprint": world.manifest_fingerprint,
        "parameter_hash": world.parameter_hash,
        "countries_without": {
            need: [code for code, without in lacking.items() if need in without] for need in NEEDS
        },
        "left_prior": list(lacking),
        "findings": [finding.as_json() for finding in findings],
    }


def noted(receipt: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """The gate receipt with every finding in its notes."""
    told = [
        MapFinding(row["kind"], row["dataset"], row["subject"], tuple(row["others"])).sentence
        for row in document["findings"]
    ]
    notes = [receipt["notes"]] if "notes" in receipt else []
    return {**receipt, "notes": "; ".join([*notes, *told])} if told else dict(receipt)


def covered_countries(inputs: SealedInputs, maps: Maps) -> dict[str, frozenset[str]]:
    """Countries that have each of ``NEEDS``."""
    surfaces = [frozenset(files_by_country(name, inputs.path(name, "S0"))) for name in SURFACES]
    tiled = surfaces[0].intersection(*surfaces[1:])
    return {"polygon": frozenset(maps.codes), "tiles": tiled, "zones": maps.zoned()}


def _lacking(countries: Iterable[str], covered: Mapping[str, frozenset[str]]) -> dict[str, tuple[str, ...]]:
    """What each country is without, ascending; those that have everything are left out."""
    found = {
        code: tuple(need for need in NEEDS if code not in covered[need]) for code in sorted(set(countries))
    }
    return {code: without for code, without in found.items() if without}


def uncovered_homes(inputs: SealedInputs, covered: Mapping[str, frozenset[str]]) -> Iterator[Seg3BError]:
    """The merchants' homes without polygon, tiles or zones, as one ``INPUT_SCHEMA_MISMATCH``.

    Raises:
        Seg3BError: what reading the merchants raises.
    """
    frame = read_table(contract(MERCHANTS), inputs.path(MERCHANTS, "S0"), "S0")
    if frame.schema.get("home_country_iso") != pl.String():
        return  # the table breaks its contract, and S1 says how
    homes = frame["home_country_iso"].drop_nulls()
    lacking = _lacking(homes.unique().to_list(), covered)
    if lacking:
        merchants = int(homes.is_in(list(lacking)).sum())
        place = f"{MERCHANTS}.home_country_iso"
        yield fail("homes_covered", place, _COVER, **_told(lacking), merchants=merchants)


def uncovered_policies(policies: PolicySet, covered: Mapping[str, frozenset[str]]) -> Iterator[Seg3BError]:
    """Seats without polygon, tiles or zones, and countries of the prior where none may leave it, or none would stay."""
    seats = [seat.country_iso for rule in policies.settlement.seat_rules for seat in rule.jurisdictions]
    lacking = _lacking(seats, covered)
    if lacking:
        place = "settlement.yaml:seat_rules.jurisdictions"
        yield fail("seats_covered", place, _COVER, **_told(lacking))
    prior = policies.cdn_country_weights
    lacking = _prior_lacking(policies, covered)
    if lacking and (prior.missing_country == "refuse" or len(lacking) == len(prior.countries)):
        yield fail("prior_covered", f"{PRIOR}.yaml:countries", _COVER, **_told(lacking))


def left_prior(policies: PolicySet, covered: Mapping[str, frozenset[str]]) -> list[MapFinding]:
    """A finding per country that leaves the prior."""
    lacking = _prior_lacking(policies, covered)
    return [MapFinding(COUNTRY_LEFT_PRIOR, PRIOR, code, without) for code, without in lacking.items()]


def _prior_lacking(policies: PolicySet, covered: Mapping[str, frozenset[str]]) -> dict[str, tuple[str, ...]]:
    return _lacking((row.country_iso for row in policies.cdn_country_weights.countries), covered)


def _told(lacking: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    countries = {code: list(without) for code, without in lacking.items()}
    return {"count": len(lacking), "countries": countries}
