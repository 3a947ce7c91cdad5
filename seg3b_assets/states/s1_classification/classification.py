"""Every merchant's decision as two tables: ``virtual_classification_3B`` and, beside it, its lineage.

The first has the columns the layer publishes, each row with a digest of what decided it; the second what we
know beyond them.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from seg3b_assets.laws.canonical_rows import canonical_rows
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.laws.row_digests import row_digests
from seg3b_assets.policies import PolicySet
from seg3b_assets.states.s1_classification.rules import classify

POLICY_ID: Final = "mcc_channel_rules"
_MODES: Final = {"virtual": "VIRTUAL_ONLY", "hybrid": "HYBRID", "physical": "NON_VIRTUAL"}


def classification_tables(
    merchants: pl.DataFrame, policies: PolicySet, world: WorldIdentity
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Classify and describe every merchant.

    Args:
        merchants: merchant_id u64, mcc i32, channel, home_country_iso; ascending merchant_id.
        policies: of which ``mcc_channel_rules`` decides and its file digest is part of every row's digest.
        world: whose seed the draws and the rows carry.

    Returns:
        The columns of ``virtual_classification_3B`` and of ``virtual_classification_lineage_3B``, plus nothing
        else, ascending merchant_id.
    """
    decided = classify(merchants, policies.mcc_channel_rules, world.seed).columns()
    return _published(merchants, decided, policies, world), _lineage(merchants, decided, world)


def _published(
    merchants: pl.DataFrame, decided: pl.DataFrame, policies: PolicySet, world: WorldIdentity
) -> pl.DataFrame:
    policy = policies.mcc_channel_rules
    digest = row_digests(
        canonical_rows(
            {
                "merchant_id": merchants["merchant_id"],
                "mcc": merchants["mcc"],
                "channel": merchants["channel"],
                "home_country_iso": merchants["home_country_iso"],
                "seed": world.seed,
                "rule_id": decided["rule_id"],
                "rule_version": decided["rule_version"],
                "decision": decided["decision"],
                "policy_sha256": policies.files[POLICY_ID].sha256,
            }
        )
    )
    return decided.select(
        seed=pl.lit(world.seed, pl.UInt64),
        manifest_fingerprint=pl.lit(world.manifest_fingerprint),
        merchant_id=merchants["merchant_id"],
        is_virtual=pl.col("decision") != "physical",
        virtual_mode=pl.col("decision").replace_strict(_MODES, return_dtype=pl.String),
        decision_reason=pl.col("decision_reason"),
        rule_id=pl.col("rule_id"),
        rule_version=pl.col("rule_version"),
        source_policy_id=pl.lit(policy.policy_id),
        source_policy_version=pl.lit(policy.version),
        classification_digest=digest,
        notes=pl.lit(None, pl.String),
    )


def _lineage(merchants: pl.DataFrame, decided: pl.DataFrame, world: WorldIdentity) -> pl.DataFrame:
    return decided.select(
        pl.lit(world.seed, pl.UInt64).alias("seed"),
        pl.lit(world.manifest_fingerprint).alias("manifest_fingerprint"),
        merchants["merchant_id"],
        "decision_reason",
        "rule_id",
        "decision",
        "reason_code",
        "rule_priority",
        "propensity",
        "propensity_draw",
        "rules_passed_over",
    )
