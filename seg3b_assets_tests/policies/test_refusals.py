"""A value a policy cannot hold is refused by file, key, value and allowed range."""

from pathlib import Path
from typing import Any

import pytest

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.policies import Certification, TzNudge
from seg3b_assets.policies.gates import REQUIRED_HARD_GATES, REQUIRED_STRETCH_GATES
from seg3b_assets.policies.strict_yaml import parse_document
from seg3b_assets.realism.policy_reading import load_policies, parse_policy
from seg3b_assets_tests.policies.conftest import Refused
from seg3b_assets_tests.policies.spoiling import REMOVED, SHIPPED, spoilt

TOPOLOGY = [
    ("budget.sigma", -0.45, "a number at least 0 and at most 3"),
    ("budget.median", "500", "a number at least 1"),
    ("budget.minimum", 99_999, "less than median"),
    ("budget.maximum", 2, "greater than median"),
    ("budget.published_median_band", [2, 1], "around the median"),
    ("budget.published_median_band[1]", REMOVED, "the key is required: a number"),
    ("budget.size_multiplier.SMALL", REMOVED, "the key is required: a number greater than 0"),
    ("budget.class_multiplier", 1, "a mapping with the keys OFFSHORE_HUB"),
    ("edge_weights.law", "dirichle", "dirichlet, equal"),
    ("country_shares.guards.min_support", 400, "at most 240"),
    ("country_shares.guards.min_effective_country_count", 230.5, "at most min_support"),
    ("country_shares.guards.max_single_country_share", 0.004, "at least 1 / min_support"),
    ("country_shares.guards.sparse_tail_floor", 0.1, "at most 1 / min_support"),
    ("country_shares.by_class.HYBRID_FOOTPRINT.coupling", 1.5, "at most 1"),
    ("country_shares.by_class.HYBRID_FOOTPRINT.decay_km", -1, "greater than 0"),
    ("country_shares.profile_noise.maximum", 0.01, "greater than median"),
    ("size_buckets.large.outlets", 1, "greater than medium.outlets"),
    ("classification_of_merchants.hub_jurisdictions[0]", "AQ", "cdn_country_weights"),
    ("placement.max_attempts", 64.5, "a whole number"),
    ("placement.max_attempts", True, "a whole number"),
    ("publish.edges_per_part", None, "at least 1000"),
]
RULES = [
    ("rules", [], "a list of at least 1"),
    ("rules[0].match.mcc", [79220], "at most 9999"),
    ("rules[0].match.mcc", [5815, 5815], "does not hold already"),
    ("rules[0].match.mcc_range", [[5969, 5960]], "low at most high"),
    ("rules[0].match.channel", "phone", "card_present, card_not_present"),
    ("rules[0].match", {}, "at least one condition"),
    ("rules[0].rule_id", "DEFAULT_GUARD", "no override or default has"),
    ("rules[0].rule_id", "ONLINE|GAMES", "capitals"),
    ("rules[0].rule_version", 1.0, "semantic version"),
    ("rules[0].reason_code", "BECAUSE", "one of reason_codes"),
    ("rules[0].propensity", 0, "greater than 0 and at most 1"),
    ("rules[0].priority", -1, "at least 0"),
    ("default.decision", "never", "virtual, hybrid, physical"),
    ("overrides.accept.merchants", [0], "at least 1"),
    ("overrides.deny.rule_id", "DEFAULT_GUARD", "of its own"),
]
SETTLEMENT = [
    ("draw.population_offset", 0, "above 0"),
    ("draw.max_attempts", 65, "at most 64"),
    ("missing_coordinate", "skip", "draw, refuse"),
    ("missing_coordinate", REMOVED, "the key is required"),
    ("capacity.minimum", 0, "at least 1"),
    ("seat_rules[0].jurisdictions", [], "a list of at least 1"),
    ("seat_rules[0].jurisdictions[0].country_iso", "AQ", "cdn_country_weights"),
    ("seat_rules[0].jurisdictions[0].weight", 0, "greater than 0"),
]
OTHERS = [
    ("alias_layout", "quantised_bits", 40, "at most 32"),
    ("alias_layout", "alignment_bytes", 7, "one of 1, 2, 4, 8"),
    ("route_rng", "engine", "pcg64", "philox2x64-10"),
    ("tz_nudge", "epsilon_deg", 0, "greater than 0 and at most 0.1"),
    ("tz_nudge", "policy_id", "tz_overrides", "tz_nudge"),
    ("tz_overrides", "overrides[0].tzid", "Europe/Bergen", "tz database"),
    ("virtual_routing_fields", "ip_country_source", "country", "dataset and column"),
    ("virtual_routing_fields", "ip_country_field", "edge_catalogue_3B.country_iso", "event.ip_country"),
    ("virtual_routing_fields", "ip_latitude_field", "event.ip_country", "no other binding"),
    ("virtual_routing_fields", "settlement_day_field", REMOVED, "the key is required"),
    ("route_rng", "event_schema", "2B.rng.events.cdn_edge_pick.v1", "schemas.layer1.yaml#"),
    ("virtual_validation", "hard_gates.3B-V03.threshold", 0.03, "[low, high]"),
    ("virtual_validation", "hard_gates.3B-V12.threshold", False, "true"),
    ("virtual_validation", "hard_gates.3B-V01.threshold", True, "a number"),
    ("virtual_validation", "hard_gates.3B-V01.metric", "edges_cv", "edges_per_merchant_cv"),
    ("virtual_validation", "realism_enforcement_mode", "enforced", "observe, enforce"),
    ("virtual_validation", "probe.false_alarm_rate", 1e-5, "at most 1e-06"),
    ("virtual_validation", "families.ALIAS_FIDELITY", REMOVED, "the key is required"),
    ("certification", "prevalence_band", [0.9, 0.1], "low below high"),
    ("certification", "stability.max_cv_bplus", 1, "at most max_cv_b"),
    ("certification", "seeds", [42], "the seeds this policy certifies"),
    ("certification", "lanes.witness.seeds", [2**64], "at most 18446744073709551615"),
]
CASES = [
    *(("edge_topology", *case) for case in TOPOLOGY),
    *(("mcc_channel_rules", *case) for case in RULES),
    *(("settlement", *case) for case in SETTLEMENT),
    *OTHERS,
]
# Rules across keys name the key that is at odds, which need not be the one that was changed.
ELSEWHERE = {
    ("mcc_channel_rules", "rules[0].match.mcc_range", "low at most high"): "rules[0].match.mcc_range[0]",
    ("mcc_channel_rules", "rules[0].match.mcc", "does not hold already"): "rules[0].match.mcc[1]",
    ("mcc_channel_rules", "rules[0].match.mcc", "at most 9999"): "rules[0].match.mcc[0]",
    ("mcc_channel_rules", "overrides.accept.merchants", "at least 1"): "overrides.accept.merchants[0]",
    ("certification", "seeds", "the seeds this policy certifies"): "lanes.certification.seeds",
    ("certification", "lanes.witness.seeds", "at most 18446744073709551615"): "lanes.witness.seeds[0]",
}


@pytest.mark.parametrize(("policy", "key", "value", "allowed"), CASES)
def test_bad_value_is_named_with_its_key_and_range(
    refused: Refused, policy: str, key: str, value: Any, allowed: str
) -> None:
    error = refused(policy, key, value)
    place = ELSEWHERE.get((policy, key, allowed), key)
    assert error.place == f"{policy}.yaml:{place}"
    assert allowed in error.detail["allowed"]
    assert f"`{place}`" in error.remedy
    assert error.detail["allowed"] in error.remedy
    if place == key and isinstance(value, str | float):
        assert error.detail["value"] == value


def test_negative_weight_is_named_with_country_and_line(refused: Refused) -> None:
    error = refused("cdn_country_weights", "countries[72].weight", -0.01)
    assert error.place == "cdn_country_weights.yaml:countries[72].weight"
    assert (error.detail["value"], error.detail["item"]) == (-0.01, "country_iso=FR")
    assert error.detail["allowed"] == "a number greater than 0 and at most 1"


def test_weights_that_do_not_sum_to_one_are_refused(refused: Refused) -> None:
    error = refused("cdn_country_weights", "countries[0].weight", 0.5)
    assert error.place == "cdn_country_weights.yaml:countries"
    assert error.detail["value"] == pytest.approx(1.5, abs=1e-3)
    assert "sum to 1" in error.detail["allowed"]


@pytest.mark.parametrize("code", ["AA", "AE", "fr"])
def test_countries_out_of_order_or_ill_written_are_refused(refused: Refused, code: str) -> None:
    error = refused("cdn_country_weights", "countries[2].country_iso", code)
    assert error.place == "cdn_country_weights.yaml:countries[2].country_iso"
    assert error.detail["value"] == code


def test_rule_id_used_twice_is_refused(refused: Refused) -> None:
    error = refused("mcc_channel_rules", "rules[3].rule_id", "COUNTER_SALE_OF_DIGITAL_TRADE")
    assert error.place == "mcc_channel_rules.yaml:rules[3].rule_id"


def test_rule_id_of_the_other_rule_book_is_refused(refused: Refused) -> None:
    error = refused("settlement", "seat_rules[1].rule_id", "ONLINE_GAMES")
    assert (error.validator, error.place) == ("policies_agree", "settlement.yaml:seat_rules[1].rule_id")


def test_merchant_on_both_lists_is_refused(refused: Refused) -> None:
    lists = {
        name: {
            "rule_id": f"{name.upper()}_LIST",
            "rule_version": "1.0.0",
            "reason_code": "NO_RULE",
            "merchants": [9],
        }
        for name in ("accept", "deny")
    }
    error = refused("mcc_channel_rules", "overrides", lists)
    assert error.place == "mcc_channel_rules.yaml:overrides.accept.merchants[0]"


GATE = {"metric": "virtual_rate", "operator": ">=", "threshold": 0.1, "state": "S1",
        "dataset": "virtual_classification_3B", "fault_domain": "policy"}  # fmt: skip
BAND = {"metrics": ["virtual_rate"], "operator": ">=", "threshold": 0.1, "hard_gates": ["3B-V01"]}


def spoil(folder: Path, policy: str, key: str, value: object) -> None:
    path = folder / f"{policy}.yaml"
    path.write_bytes(spoilt(path.read_bytes(), key, value))


def test_a_gate_more_is_an_entry_more(folder: Path) -> None:
    spoil(folder, "virtual_validation", "hard_gates.3B-V13", GATE)
    spoil(folder, "certification", "stretch_gates.3B-S13", {**BAND, "hard_gates": ["3B-V13"]})
    policies = load_policies(folder)
    assert policies.virtual_validation.hard_gates["3B-V13"].metric == "virtual_rate"
    assert policies.certification.stretch_gates["3B-S13"].hard_gates == ("3B-V13",)


@pytest.mark.parametrize(
    ("policy", "key", "words"),
    [
        ("virtual_validation", "hard_gates.3B-X04", "3B-V and two digits"),
        ("virtual_validation", "hard_gates.3B-S13", "3B-V and two digits"),
        ("virtual_validation", "hard_gates.3B-V1", "3B-V and two digits"),
        ("virtual_validation", "hard_gates.3b-v13", "3B-V and two digits"),
        ("certification", "stretch_gates.3B-X04", "3B-S and two digits"),
        ("certification", "stretch_gates.3B-S013", "3B-S and two digits"),
    ],
)
def test_a_gate_by_another_name_is_refused(refused: Refused, policy: str, key: str, words: str) -> None:
    error = refused(policy, key, GATE if policy == "virtual_validation" else BAND)
    assert error.place == f"{policy}.yaml:{key}"
    assert words in error.detail["allowed"]


@pytest.mark.parametrize(
    ("policy", "key", "value", "meant"),
    [
        ("virtual_validation", "hard_gates.3B-V01.metric", "edges_per_merchnt_cv", "edges_per_merchant_cv"),
        (
            "certification",
            "stretch_gates.3B-S08.metrics[1]",
            "rule_version_rate",
            "rule_version_non_null_rate",
        ),
        ("certification", "stability.metrics[0]", "top1_share_p5", "top1_share_p50"),
        ("virtual_validation", "hard_gates.3B-V11.dataset", "edge_alias_blob", "edge_alias_blob_3B"),
        # Held by the policy's false-alarm rate, and measured of no seed.
        ("virtual_validation", "hard_gates.3B-V01.metric", "edge_usage_p_value", None),
        ("virtual_validation", "hard_gates.3B-V01.dataset", "s5_audit_3B", None),
    ],
)
def test_a_name_that_nobody_measures_or_publishes_is_refused_with_the_nearest(
    refused: Refused, policy: str, key: str, value: str, meant: str | None
) -> None:
    error = refused(policy, key, value)
    assert (error.validator, error.place) == ("policy_value", f"{policy}.yaml:{key}")
    assert error.detail["line"]
    if meant is not None:
        assert error.detail["suggestion"] == meant
        assert f"Did you mean `{meant}`?" in error.remedy


def test_a_band_of_no_gate_or_under_anothers_name_is_refused(refused: Refused) -> None:
    error = refused("certification", "stretch_gates.3B-S05.hard_gates[0]", "3B-V55")
    assert error.place == "certification.yaml:stretch_gates.3B-S05.hard_gates[0]"
    assert error.detail["allowed"] == "a gate that virtual_validation holds"


def test_a_band_under_a_hard_gates_id_tightens_that_gate(refused: Refused) -> None:
    error = refused("certification", "stretch_gates.3B-V11.hard_gates", ["3B-V01"])
    assert error.place == "certification.yaml:stretch_gates.3B-V11.hard_gates"


def test_two_hard_gates_do_not_hold_one_metric(refused: Refused) -> None:
    error = refused("virtual_validation", "hard_gates.3B-V13", {**GATE, "metric": "top1_share_p50"})
    assert error.place == "virtual_validation.yaml:hard_gates.3B-V13.metric"


@pytest.mark.parametrize(
    ("policy", "key", "gates"),
    [
        ("virtual_validation", "hard_gates", REQUIRED_HARD_GATES),
        ("certification", "stretch_gates", REQUIRED_STRETCH_GATES),
    ],
)
def test_every_gate_the_law_asks_for_is_missed(
    folder: Path, policy: str, key: str, gates: tuple[str, ...]
) -> None:
    path = folder / f"{policy}.yaml"
    whole = path.read_bytes()
    for gate in gates:
        path.write_bytes(spoilt(whole, f"{key}.{gate}", REMOVED))
        with pytest.raises(Seg3BError) as caught:
            load_policies(folder)
        assert f"{gate} is missing" in caught.value.detail["allowed"]


def test_gates_without_a_vocabulary_are_a_mistake_of_ours() -> None:
    value = parse_document((SHIPPED / "certification.yaml").read_bytes()).value
    with pytest.raises(LookupError):
        Certification.model_validate(value)


def test_missing_key_is_named(refused: Refused) -> None:
    error = refused("edge_topology", "budget.sigma", REMOVED)
    assert (error.validator, error.place) == ("policy_key_missing", "edge_topology.yaml:budget.sigma")


def test_unknown_key_is_named_with_the_nearest_known_one(refused: Refused) -> None:
    error = refused("edge_topology", "budget.sigmma", 1)
    assert (error.validator, error.place) == ("policy_key_unknown", "edge_topology.yaml:budget.sigmma")
    assert error.detail["suggestion"] == "sigma"
    assert "Did you mean `sigma`?" in error.remedy


@pytest.mark.parametrize(
    ("written", "meant", "why"),
    [
        ("0742", "742", "leading zero"),
        ("-007", "-7", "leading zero"),
        ("00.5", "0.5", "leading zero"),
        ("4814", "4814", "quotes"),
        ("4\N{NO-BREAK SPACE}", "4", "only look like"),
        ("\N{MINUS SIGN}4", "-4", "only look like"),
        ("0x1F4", "500", "decimal digits"),
        ("12_000", "12000", "grouped"),
        ("0,4", "0.4", "point"),
    ],
)
def test_a_text_that_was_meant_as_a_number_says_what_keeps_it_from_being_one(
    refused: Refused, written: str, meant: str, why: str
) -> None:
    for policy, key in (("mcc_channel_rules", "rules[0].match.mcc[0]"), ("edge_topology", "budget.median")):
        error = refused(policy, key, written)
        assert error.detail["suggestion"] == meant
        assert f"`{written}`" in error.remedy
        assert why in error.remedy
        assert f"Did you mean `{meant}`?" in error.remedy


@pytest.mark.parametrize("written", ["8:20", "many", "5OO", "", "0x", "1.2.3", "9" * 50])
def test_a_text_that_means_no_number_gets_none(refused: Refused, written: str) -> None:
    assert "suggestion" not in refused("edge_topology", "budget.median", written).detail


def test_bounds_are_told_to_the_last_digit(refused: Refused) -> None:
    error = refused("mcc_channel_rules", "overrides.accept.merchants", ["x"])
    assert "at most 18446744073709551615" in error.remedy


def test_every_error_of_a_file_is_reported(refused: Refused) -> None:
    error = refused("edge_topology", "edge_weights", {"law": "equal", "concentration": 0, "extra": 1})
    assert error.detail["error_count"] == 3
    assert {entry["key"] for entry in error.detail["errors"]} == {
        "edge_weights.concentration",
        "edge_weights.extra",
        "edge_weights.tile_population_exponent",
    }


def test_line_leads_to_the_key() -> None:
    text = (SHIPPED / "tz_nudge.yaml").read_text(encoding="utf-8")
    line = next(at for at, row in enumerate(text.splitlines(), 1) if row.startswith("epsilon_deg:"))
    negative = text.replace("epsilon_deg: ", "epsilon_deg: -")
    with pytest.raises(Seg3BError) as caught:
        parse_policy("tz_nudge.yaml", negative.encode(), TzNudge)
    assert caught.value.detail["line"] == line
    assert f"(line {line})" in caught.value.remedy


@pytest.mark.parametrize("version", ["1.0", 1, "v1.0.0", "01.0.0", "1.0.0 "])
def test_version_must_be_semantic(refused: Refused, version: object) -> None:
    error = refused("tz_nudge", "version", version)
    assert error.place == "tz_nudge.yaml:version"
    assert "semantic version" in error.detail["allowed"]
