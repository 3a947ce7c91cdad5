"""S1's classification re-derived from the policy, merchant by merchant (law section 3).

S1 asks rule after rule whom it takes. Here every rule's answer for every merchant is written down first, as
one matrix of merchants by deciders in the law's order, and the first yes in a row decides.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.laws.canonical_rows import canonical_rows
from seg3b_assets.laws.row_digests import row_digests
from seg3b_assets.policies import ChannelRule, McChannelRules, MerchantMatch
from seg3b_assets.policies.classification import DEFAULT_RULE_ID

BOOL = NDArray[np.bool_]
U64 = NDArray[np.uint64]

MERCHANTS: Final = "transaction_schema_merchant_ids"
MERCHANT_COLUMNS: Final = ["merchant_id", "mcc", "channel", "home_country_iso"]
MODES: Final = {"virtual": "VIRTUAL_ONLY", "hybrid": "HYBRID", "physical": "NON_VIRTUAL"}
_DECIDED: Final = (
    "is_virtual",
    "virtual_mode",
    "decision_reason",
    "rule_id",
    "rule_version",
)
_LINEAGE: Final = (
    "decision_reason",
    "rule_id",
    "decision",
    "reason_code",
    "rule_priority",
    "propensity",
    "propensity_draw",
    "rules_passed_over",
)
_DECISIONS: Final = (
    "S1.merchant_set",
    "S1.rule_lineage",
    "S1.decision",
    "S1.classification_digest",
)


@dataclass(frozen=True)
class MerchantFacts:
    """What rules look at, one entry per merchant: ids uint64, mcc, and text for the rest; ascending ids."""

    merchant_id: U64
    mcc: NDArray[np.int64]
    channel: NDArray[np.str_]
    home: NDArray[np.str_]

    @classmethod
    def of(cls, frame: pl.DataFrame) -> MerchantFacts:
        """From the columns of the upstream table."""
        return cls(
            frame["merchant_id"].to_numpy(),
            frame["mcc"].cast(pl.Int64).to_numpy(),
            frame["channel"].to_numpy().astype("U16"),
            frame["home_country_iso"].to_numpy().astype("U2"),
        )

    def fits(self, match: MerchantMatch) -> BOOL:
        """Whom a rule speaks of: every stated condition holds."""
        fits = np.ones(self.merchant_id.shape[0], bool)
        if match.mcc or match.mcc_range:
            code = np.isin(self.mcc, np.array(match.mcc, np.int64))
            for low, high in match.mcc_range:
                code |= (self.mcc >= low) & (self.mcc <= high)
            fits &= code
        if match.channel:
            fits &= self.channel == match.channel
        if match.home_country:
            fits &= np.isin(self.home, np.array(match.home_country))
        if match.not_home_country:
            fits &= ~np.isin(self.home, np.array(match.not_home_country))
        return fits

    def drawn(self, rule_id: str, propensity: float, seed: int, fits: BOOL) -> BOOL:
        """Those of ``fits`` whose hash draw falls under the propensity."""
        if propensity >= 1.0:
            return fits
        at = np.flatnonzero(fits)
        taken = np.zeros(fits.shape[0], bool)
        taken[at] = hash_draws(rule_id, seed, self.merchant_id[at]) < propensity
        return taken


def hash_draws(rule_id: str, seed: int, merchant_id: U64) -> NDArray[np.float64]:
    """u = (BE64(SHA256("rule_id|seed|merchant_id")[0:8]) + 0.5) / 2⁶⁴ per merchant (law section 3)."""
    heads = [
        int.from_bytes(hashlib.sha256(f"{rule_id}|{seed}|{merchant}".encode()).digest()[:8], "big")
        for merchant in merchant_id.tolist()
    ]
    return (np.array(heads, np.uint64).astype(np.float64) + 0.5) / 2.0**64


@dataclass(frozen=True)
class RuleMatrix:
    """Every decider's answer for every merchant, in the law's order: overrides, rules, default.

    Attributes:
        rules: by priority descending, then rule_id.
        first: int64 (merchants,), the first decider that says yes: 0 deny, 1 accept, from 2 the rules.
        passed_over: int64 (merchants,), rules before it that speak of the merchant and did not take it.
    """

    rules: tuple[ChannelRule, ...]
    first: NDArray[np.int64]
    passed_over: NDArray[np.int64]

    @classmethod
    def of(cls, facts: MerchantFacts, policy: McChannelRules, seed: int) -> RuleMatrix:
        """Ask everyone about everyone."""
        overrides, everyone = policy.overrides, np.ones(facts.merchant_id.shape[0], bool)
        rules = tuple(sorted(policy.rules, key=lambda rule: (-rule.priority, rule.rule_id)))
        answers = [
            np.isin(facts.merchant_id, np.array(listed.merchants, np.uint64))
            for listed in (overrides.deny, overrides.accept)
        ]
        fits = [facts.fits(rule.match) for rule in rules]
        answers += [
            facts.drawn(rule.rule_id, rule.propensity, seed, spoken_of)
            for rule, spoken_of in zip(rules, fits, strict=True)
        ]
        first = np.argmax(np.stack([*answers, everyone]), axis=0)
        passed_over = np.zeros(everyone.shape[0], np.int64)
        for position, spoken_of in enumerate(fits, start=2):
            passed_over += spoken_of & ~answers[position] & (position < first)
        return cls(rules, first, passed_over)

    def draws(self, merchant_id: U64, seed: int) -> pl.Series:
        """The uniform that let the deciding rule apply; null where it needed none."""
        drawn = np.full(merchant_id.shape[0], np.nan)
        for position, rule in enumerate(self.rules, start=2):
            if rule.propensity < 1.0:
                at = np.flatnonzero(self.first == position)
                drawn[at] = hash_draws(rule.rule_id, seed, merchant_id[at])
        return pl.Series(drawn).fill_nan(None)


def read_merchants(context: AuditContext) -> pl.DataFrame | None:
    """The upstream merchants in ascending id; None when they are not at hand."""
    frame = context.input_table(MERCHANTS, MERCHANT_COLUMNS)
    return None if frame is None else frame.sort("merchant_id")


@check("S1.merchant_set", "§3 classification", "a merchant was dropped, added or repeated")
def audit_classification(
    context: AuditContext, table: pl.DataFrame | None, merchants: pl.DataFrame | None
) -> None:
    """S1's merchants, rules, decisions and digests.

    Args:
        table: ``virtual_classification_3B``; merchants: the upstream table.
    """
    if table is None or merchants is None:
        context.findings.skip("classification or merchants are not at hand", *_DECISIONS)
        return
    context.findings.counts["merchants"] = table.height
    context.findings.counts["virtual_merchants"] = int(table["is_virtual"].sum())
    context.findings.same_set("S1.merchant_set", table["merchant_id"], merchants["merchant_id"])
    joined = table.join(merchants, on="merchant_id", how="inner", maintain_order="left")
    policy = context.tree.policies.mcc_channel_rules
    _lineage(context, table, policy)
    _decisions(context, joined, policy)
    _digests(context, joined)


@check("S1.rule_lineage", "§3 classification", "a row names a rule the policy does not have")
def _lineage(context: AuditContext, table: pl.DataFrame, policy: McChannelRules) -> None:
    """rule_id and rule_version name something in the policy, which is the one the row cites."""
    known = [f"{rule.rule_id}|{rule.rule_version}" for rule in policy.rules]
    known += [
        f"{listed.rule_id}|{listed.rule_version}"
        for listed in (policy.overrides.accept, policy.overrides.deny)
    ]
    known.append(f"{DEFAULT_RULE_ID}|{policy.version}")
    cited = pl.concat_str("rule_id", "rule_version", separator="|")
    sound = table.select(
        cited.is_in(known)
        & (pl.col("source_policy_id") == policy.policy_id)
        & (pl.col("source_policy_version") == policy.version)
    ).to_series()
    shown = ["merchant_id", "rule_id", "rule_version", "source_policy_id", "source_policy_version"]
    context.findings.rows(
        "S1.rule_lineage", ~sound.to_numpy(), lambda row: table.select(shown).row(row, named=True)
    )


def derive_decisions(facts: MerchantFacts, policy: McChannelRules, seed: int) -> pl.DataFrame:
    """What the policy decides for each merchant, and why: the columns of both tables, in merchant order."""
    matrix = RuleMatrix.of(facts, policy, seed)
    deny, accept, default = policy.overrides.deny, policy.overrides.accept, policy.default
    deciders = [
        ("physical", "OVERRIDE_DENY", deny.rule_id, deny.rule_version, deny.reason_code, None, None),
        ("virtual", "OVERRIDE_ACCEPT", accept.rule_id, accept.rule_version, accept.reason_code, None, None),
        *(
            (
                rule.decision,
                "RULE_MATCH",
                rule.rule_id,
                rule.rule_version,
                rule.reason_code,
                rule.priority,
                rule.propensity,
            )
            for rule in matrix.rules
        ),
        (default.decision, "DEFAULT_GUARD", DEFAULT_RULE_ID, policy.version, default.reason_code, None, None),
    ]
    names = {
        "decision": pl.String,
        "decision_reason": pl.String,
        "rule_id": pl.String,
        "rule_version": pl.String,
        "reason_code": pl.String,
        "rule_priority": pl.Int64,
        "propensity": pl.Float64,
    }
    derived: pl.DataFrame = pl.DataFrame(deciders, schema=names, orient="row")[matrix.first]
    return derived.with_columns(
        is_virtual=pl.col("decision") != "physical",
        virtual_mode=pl.col("decision").replace_strict(MODES, return_dtype=pl.String),
        propensity_draw=matrix.draws(facts.merchant_id, seed),
        rules_passed_over=pl.Series(matrix.passed_over, dtype=pl.Int64),
    )


@check("S1.decision", "§3 classification", "the rules decide otherwise: the row or the policy was edited")
def _decisions(context: AuditContext, joined: pl.DataFrame, policy: McChannelRules) -> None:
    derived = derive_decisions(MerchantFacts.of(joined), policy, context.tree.identity.seed)
    context.findings.compare("S1.decision", joined, derived.select(_DECIDED))


@check("S1.lineage_set", "§3 classification", "a merchant's lineage is missing, or somebody else's")
@check(
    "S1.lineage", "§3 classification", "rule, reason, rank, propensity or draw is not what the policy gives"
)
def audit_lineage(context: AuditContext, table: pl.DataFrame | None, merchants: pl.DataFrame | None) -> None:
    """``virtual_classification_lineage_3B``: a row per merchant, and each what policy and seed give.

    Args:
        table: the lineage; merchants: the upstream table.
    """
    checks = ("S1.lineage_set", "S1.lineage")
    if table is None or merchants is None:
        context.findings.skip("lineage or merchants are not at hand", *checks)
        return
    context.findings.same_set("S1.lineage_set", table["merchant_id"], merchants["merchant_id"])
    joined = table.join(merchants, on="merchant_id", how="inner", maintain_order="left")
    policy = context.tree.policies.mcc_channel_rules
    derived = derive_decisions(MerchantFacts.of(joined), policy, context.tree.identity.seed)
    context.findings.compare("S1.lineage", joined, derived.select(_LINEAGE))


@check("S1.classification_digest", "§3 classification", "the row or its digest was edited afterwards")
def _digests(context: AuditContext, joined: pl.DataFrame) -> None:
    decision_of = {mode: decision for decision, mode in MODES.items()}
    rows = canonical_rows(
        {
            **{name: joined[name] for name in (*MERCHANT_COLUMNS, "rule_id", "rule_version")},
            "seed": context.tree.identity.seed,
            "decision": joined["virtual_mode"].replace_strict(
                decision_of, default="", return_dtype=pl.String
            ),
            "policy_sha256": context.tree.policies.files["mcc_channel_rules"].sha256,
        }
    )
    context.findings.compare("S1.classification_digest", joined, {"classification_digest": row_digests(rows)})
