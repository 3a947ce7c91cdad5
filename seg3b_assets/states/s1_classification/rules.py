"""Which rule decides each merchant (law section 3, classification).

Deny override, accept override, rules by priority descending then rule_id ascending, default; a rule with a
propensity below 1 decides the merchants whose hash draw falls under it and leaves the others to the next
rule. One mask per rule over all merchants. What a decision means for a table is ``classification``'s matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.policies import ChannelRule, McChannelRules, MerchantMatch
from seg3b_assets.policies.classification import DEFAULT_RULE_ID
from seg3b_assets.states.s1_classification.propensity import Propensity, hash_uniform

BOOL = NDArray[np.bool_]

RULE_MATCH: Final = "RULE_MATCH"
OVERRIDE_ACCEPT: Final = "OVERRIDE_ACCEPT"
OVERRIDE_DENY: Final = "OVERRIDE_DENY"
DEFAULT_GUARD: Final = "DEFAULT_GUARD"

_UNDECIDED: Final = -1


@dataclass(frozen=True)
class Decider:
    """Something that decides merchants: an override list, a rule or the default.

    Attributes:
        decision: virtual, hybrid or physical.
        decision_reason: why it came to decide.
        rule_priority, propensity: of a rule; None for overrides and the default.
    """

    rule_id: str
    rule_version: str
    decision: str
    decision_reason: str
    reason_code: str
    rule_priority: int | None = None
    propensity: float | None = None


@dataclass(frozen=True)
class Classification:
    """Every merchant's decider.

    Attributes:
        deciders: in the order they were asked.
        decided_by: int64 (merchants,), position in ``deciders``.
        draw: float64 (merchants,), the uniform that let the rule apply; NaN where none was drawn.
        passed_over: int64 (merchants,), rules that matched before and whose draw said no.
    """

    deciders: tuple[Decider, ...]
    decided_by: NDArray[np.int64]
    draw: NDArray[np.float64]
    passed_over: NDArray[np.int64]

    def columns(self) -> pl.DataFrame:
        """One row per merchant with its decider's fields, in the merchants' order."""
        schema = {
            "rule_id": pl.String,
            "rule_version": pl.String,
            "decision": pl.String,
            "decision_reason": pl.String,
            "reason_code": pl.String,
            "rule_priority": pl.Int64,
            "propensity": pl.Float64,
        }
        decided = pl.DataFrame([vars(decider) for decider in self.deciders], schema=schema)[self.decided_by]
        return decided.with_columns(
            propensity_draw=pl.Series(self.draw).fill_nan(None),
            rules_passed_over=pl.Series(self.passed_over, dtype=pl.Int64),
        )


def match_expression(match: MerchantMatch) -> pl.Expr:
    """Whom a match speaks of, over columns mcc, channel and home_country_iso."""
    conditions: list[pl.Expr] = []
    codes = [pl.col("mcc").is_in(list(match.mcc))] if match.mcc else []
    codes += [pl.col("mcc").is_between(low, high) for low, high in match.mcc_range]
    if codes:
        conditions.append(pl.any_horizontal(codes))
    if match.channel:
        conditions.append(pl.col("channel") == match.channel)
    if match.home_country:
        conditions.append(pl.col("home_country_iso").is_in(list(match.home_country)))
    if match.not_home_country:
        conditions.append(~pl.col("home_country_iso").is_in(list(match.not_home_country)))
    return pl.all_horizontal(conditions) if conditions else pl.lit(True)


def taken(
    merchants: pl.DataFrame, match: MerchantMatch, propensity: Propensity, undecided: BOOL
) -> NDArray[np.int64]:
    """Positions of the undecided merchants that match and that the propensity takes.

    Args:
        merchants: merchant_id u64, mcc, channel, home_country_iso.
        undecided: bool (merchants,); only these can be taken, and only for them a hash is drawn.
    """
    at = _matched(merchants, match, undecided)
    return at[propensity.takes(merchants["merchant_id"].to_numpy()[at])]


def _matched(merchants: pl.DataFrame, match: MerchantMatch, undecided: BOOL) -> NDArray[np.int64]:
    matched = merchants.select(pl.repeat(True, pl.len()) & match_expression(match)).to_series().to_numpy()
    return np.flatnonzero(matched & undecided)


def ordered_rules(policy: McChannelRules) -> list[ChannelRule]:
    """Priority descending, then rule_id ascending."""
    return sorted(policy.rules, key=lambda rule: (-rule.priority, rule.rule_id))


def classify(merchants: pl.DataFrame, policy: McChannelRules, seed: int) -> Classification:
    """Decide every merchant.

    Args:
        merchants: merchant_id u64, mcc i32, channel, home_country_iso; any order.
        policy: the rules.
        seed: uint64, part of every hash draw.
    """
    rules = ordered_rules(policy)
    decided = np.full(merchants.height, _UNDECIDED, np.int64)
    draw, passed_over = np.full(merchants.height, np.nan), np.zeros(merchants.height, np.int64)
    ids = merchants["merchant_id"].to_numpy()
    for position, listed in enumerate((policy.overrides.deny, policy.overrides.accept)):
        named = merchants["merchant_id"].is_in(pl.Series(listed.merchants, dtype=pl.UInt64).implode())
        decided[named.to_numpy() & (decided == _UNDECIDED)] = position
    for position, rule in enumerate(rules, start=2):
        at = _matched(merchants, rule.match, decided == _UNDECIDED)
        if rule.propensity < 1.0:
            uniform = hash_uniform(rule.rule_id, seed, ids[at])
            takes = uniform < rule.propensity
            passed_over[at[~takes]] += 1
            at = at[takes]
            draw[at] = uniform[takes]
        decided[at] = position
    deciders = _deciders(policy, rules)
    decided[decided == _UNDECIDED] = len(deciders) - 1
    return Classification(deciders, decided, draw, passed_over)


def _deciders(policy: McChannelRules, rules: list[ChannelRule]) -> tuple[Decider, ...]:
    deny, accept = policy.overrides.deny, policy.overrides.accept
    return (
        Decider(deny.rule_id, deny.rule_version, "physical", OVERRIDE_DENY, deny.reason_code),
        Decider(accept.rule_id, accept.rule_version, "virtual", OVERRIDE_ACCEPT, accept.reason_code),
        *(
            Decider(
                rule.rule_id,
                rule.rule_version,
                rule.decision,
                RULE_MATCH,
                rule.reason_code,
                rule.priority,
                rule.propensity,
            )
            for rule in rules
        ),
        Decider(
            DEFAULT_RULE_ID,
            policy.version,
            policy.default.decision,
            DEFAULT_GUARD,
            policy.default.reason_code,
        ),
    )
