"""Policy ``mcc_channel_rules``: which merchants sell without a place (law section 3).

Declares the rules and refuses those that cannot mean anything; state S1 evaluates them.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seg3b_assets.policies.policy_model import (
    Channel,
    Iso2,
    Listed,
    Mcc,
    MccRange,
    Policy,
    PolicyModel,
    PositiveShare,
    RuleId,
    Semver,
    Sentence,
    refusal,
    require_unique,
)

Decision = Literal["virtual", "hybrid", "physical"]
DEFAULT_RULE_ID = "DEFAULT_GUARD"


class MerchantMatch(PolicyModel):
    """Who a rule speaks of; every stated condition must hold, an unstated one always does.

    Attributes:
        mcc, mcc_range: merchant category codes, singly and as inclusive [low, high]; either may hold.
        channel: how the card is used.
        home_country, not_home_country: home is, or is not, among these.
    """

    mcc: Listed[Mcc] = ()
    mcc_range: Listed[MccRange] = ()
    channel: Channel | None = None
    home_country: Listed[Iso2] = ()
    not_home_country: Listed[Iso2] = ()

    @model_validator(mode="after")
    def _is_meaningful(self) -> Self:
        for at, (low, high) in enumerate(self.mcc_range):
            if low > high:
                raise refusal(f"mcc_range[{at}]", [low, high], "[low, high] with low at most high")
        require_unique("mcc", self.mcc, "a merchant category code")
        require_unique("home_country", self.home_country, "a country")
        require_unique("not_home_country", self.not_home_country, "a country")
        if self.home_country and self.not_home_country:
            raise refusal(
                "not_home_country", list(self.not_home_country), "home_country or not_home_country, not both"
            )
        return self

    def is_empty(self) -> bool:
        """Whether no condition is stated, so that every merchant matches."""
        return self == MerchantMatch()


class ChannelRule(PolicyModel):
    """One rule: whom it matches, what it decides, and how often.

    Attributes:
        propensity: share of matching merchants it decides; the others go on to the next rule.
        priority: higher is asked first; ties by rule_id.
    """

    rule_id: RuleId
    rule_version: Semver
    match: MerchantMatch
    decision: Decision
    propensity: PositiveShare = 1.0
    reason_code: RuleId
    priority: Annotated[int, Field(ge=0, le=100_000)]

    @model_validator(mode="after")
    def _matches_somebody_in_particular(self) -> Self:
        if self.match.is_empty():
            raise refusal("match", {}, "at least one condition; a rule for everybody is the default")
        return self


class OverrideList(PolicyModel):
    """Merchants named by hand, under a rule id of their own."""

    rule_id: RuleId
    rule_version: Semver
    reason_code: RuleId
    merchants: Listed[Annotated[int, Field(ge=1, le=2**64 - 1)]] = ()

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        require_unique("merchants", self.merchants, "a merchant")
        return self


class Overrides(PolicyModel):
    """The two hand-kept lists; deny is asked before accept."""

    accept: OverrideList
    deny: OverrideList

    @model_validator(mode="after")
    def _are_disjoint(self) -> Self:
        denied = set(self.deny.merchants)
        for at, merchant in enumerate(self.accept.merchants):
            if merchant in denied:
                allowed = "a merchant that deny.merchants does not name"
                raise refusal(f"accept.merchants[{at}]", merchant, allowed)
        return self


class DefaultDecision(PolicyModel):
    """What holds when no rule decides; recorded as rule ``DEFAULT_GUARD`` at the policy's version."""

    decision: Decision
    reason_code: RuleId


class McChannelRules(Policy):
    """Merchant category and channel rules, with overrides and a default."""

    policy_id: Literal["mcc_channel_rules"]
    reason_codes: Annotated[dict[RuleId, Sentence], Field(min_length=1)]
    rules: Annotated[Listed[ChannelRule], Field(min_length=1)]
    overrides: Overrides
    default: DefaultDecision

    @model_validator(mode="after")
    def _is_one_rule_book(self) -> Self:
        taken = (DEFAULT_RULE_ID, self.overrides.accept.rule_id, self.overrides.deny.rule_id)
        if taken[1] in taken[:1]:
            raise refusal("overrides.accept.rule_id", taken[1], "a rule id of its own")
        if taken[2] in taken[:2]:
            raise refusal("overrides.deny.rule_id", taken[2], "a rule id of its own")
        require_unique("rules", (rule.rule_id for rule in self.rules), "a rule id", ".rule_id")
        for at, rule in enumerate(self.rules):
            if rule.rule_id in taken:
                raise refusal(f"rules[{at}].rule_id", rule.rule_id, "a rule id no override or default has")
        self._reasons_are_known()
        return self

    def _reasons_are_known(self) -> None:
        used = {
            "overrides.accept.reason_code": self.overrides.accept.reason_code,
            "overrides.deny.reason_code": self.overrides.deny.reason_code,
            "default.reason_code": self.default.reason_code,
        }
        used |= {f"rules[{at}].reason_code": rule.reason_code for at, rule in enumerate(self.rules)}
        for key, code in used.items():
            if code not in self.reason_codes:
                raise refusal(key, code, f"one of reason_codes: {', '.join(sorted(self.reason_codes))}")
