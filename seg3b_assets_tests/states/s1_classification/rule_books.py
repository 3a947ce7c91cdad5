"""Random rule books and the row-by-row reading of the law they are held against."""

from __future__ import annotations

import hashlib
from typing import Any

from hypothesis import strategies as st

from seg3b_assets.policies import ChannelRule, McChannelRules, MerchantMatch

COUNTRIES = ("FR", "GB", "MT")
CODES = (1, 2, 3, 5000, 9999)
DECISIONS = ("virtual", "hybrid", "physical")


def _optional(values: Any) -> Any:
    return st.one_of(st.just(()), st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple))


@st.composite
def matches(draw: st.DrawFn) -> dict[str, Any]:
    low = draw(st.sampled_from(CODES))
    country_key = draw(st.sampled_from(["home_country", "not_home_country"]))
    return {
        "mcc": draw(_optional(CODES)),
        "mcc_range": draw(st.sampled_from([(), ((low, 9999),), ((0, 0), (low, low))])),
        "channel": draw(st.sampled_from([None, "card_present", "card_not_present"])),
        country_key: draw(_optional(COUNTRIES)),
    }


@st.composite
def rule_books(draw: st.DrawFn) -> McChannelRules:
    stated = draw(st.lists(matches().filter(lambda match: any(match.values())), min_size=1, max_size=6))
    rules = [
        {
            "rule_id": f"RULE_{'ZYXWVU'[number]}",
            "rule_version": "1.2.3",
            "match": match,
            "decision": draw(st.sampled_from(DECISIONS)),
            "propensity": draw(st.sampled_from([1.0, 0.5, 0.01])),
            "reason_code": "REASON",
            "priority": draw(st.integers(0, 2)),
        }
        for number, match in enumerate(stated)
    ]
    named = draw(st.permutations(range(1, 13)))
    overrides = {
        name: {
            "rule_id": f"OVERRIDE_{name.upper()}",
            "rule_version": "2.0.0",
            "reason_code": "REASON",
            "merchants": tuple(listed),
        }
        for name, listed in (("accept", named[:2]), ("deny", named[2:4]))
    }
    return McChannelRules.model_validate(
        {
            "policy_id": "mcc_channel_rules",
            "version": "3.1.4",
            "reason_codes": {"REASON": "because of the test"},
            "rules": tuple(rules),
            "overrides": overrides,
            "default": {"decision": draw(st.sampled_from(DECISIONS)), "reason_code": "REASON"},
        }
    )


def decided_by_hand(row: dict[str, Any], book: McChannelRules, seed: int) -> tuple[str, str, str, str]:
    """(rule_id, rule_version, decision, decision_reason) of one merchant, read off the law."""
    deny, accept = book.overrides.deny, book.overrides.accept
    if row["merchant_id"] in deny.merchants:
        return deny.rule_id, deny.rule_version, "physical", "OVERRIDE_DENY"
    if row["merchant_id"] in accept.merchants:
        return accept.rule_id, accept.rule_version, "virtual", "OVERRIDE_ACCEPT"
    for rule in sorted(sorted(book.rules, key=lambda r: r.rule_id), key=lambda r: -r.priority):
        if fits(row, rule.match) and falls_under(row["merchant_id"], rule, seed):
            return rule.rule_id, rule.rule_version, rule.decision, "RULE_MATCH"
    return "DEFAULT_GUARD", book.version, book.default.decision, "DEFAULT_GUARD"


def fits(row: dict[str, Any], match: MerchantMatch) -> bool:
    coded = bool(match.mcc or match.mcc_range)
    in_range = any(low <= row["mcc"] <= high for low, high in match.mcc_range)
    home = row["home_country_iso"]
    return (
        (not coded or row["mcc"] in match.mcc or in_range)
        and match.channel in (None, row["channel"])
        and (not match.home_country or home in match.home_country)
        and home not in match.not_home_country
    )


def falls_under(merchant: int, rule: ChannelRule, seed: int) -> bool:
    return uniform_by_hand(merchant, rule.rule_id, seed) < rule.propensity or rule.propensity == 1.0


def uniform_by_hand(merchant: int, rule_id: str, seed: int) -> float:
    head = hashlib.sha256(f"{rule_id}|{seed}|{merchant}".encode()).digest()[:8]
    return (float(int.from_bytes(head, "big")) + 0.5) / 2**64
