"""Report material of made-up seeds, whole and hostile."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from seg3b_assets.certification.documents import SeedDocument, Summary
from seg3b_assets.certification.evidence import (
    ReportHeader,
    cross_seed_summary,
    failure_trace,
    metrics_document,
)
from seg3b_assets.certification.reference_documents import ReferenceTier
from seg3b_assets.certification.references import PolicyChange, Reference, metric_values
from seg3b_assets.certification.verdict import certify_scores
from seg3b_assets.realism import score_seed
from seg3b_assets.report.material import ReportMaterial, SeedCost, StateCost
from seg3b_assets_tests.contracts.sample_reference import reference_sample
from seg3b_assets_tests.realism.worlds import SOUND, Shape, enforced, policies

UTC = "2026-03-08T09:10:11.121314Z"
HOSTILE = "<script>alert('x')</script>\"|`&"
FLAT = replace(SOUND, edges_sigma=0.0, rules=4)


@cache
def material(shapes: tuple[Shape, ...] = (SOUND, SOUND)) -> ReportMaterial:
    """What a certification of these seeds is reported from, held against itself with one metric moved."""
    rules = policies()
    seeds = (42, 7, 101, 202)[: len(shapes)]
    scores = [
        score_seed(enforced(shape, seed), rules, workers=1) for seed, shape in zip(seeds, shapes, strict=True)
    ]
    certification = certify_scores(scores, rules)
    provenance = {
        "lineage_id": "ef" * 32,
        "sealed_inputs_digest": "ab" * 32,
        "states": {"S2": "cd" * 32},
        "policies": {"certification": "12" * 32},
        "datasets": {"edge_catalogue_3B": "34" * 32},
        "blocked": None,
    }
    header = ReportHeader("P5", UTC, dict.fromkeys(seeds, provenance))
    # Through JSON, as a report reads them.
    documents = {score.seed: SeedDocument.of(metrics_document(score, header)) for score in scores}
    summary = Summary.of(cross_seed_summary(certification, seeds, header))
    there = {
        seed: {**metric_values(found), "edges_per_merchant_cv": 0.1} for seed, found in documents.items()
    }
    changed = [PolicyChange("edge_topology", "country_shares.alpha", "1.5", None)]
    return ReportMaterial(
        certification_id="56" * 32,
        summary=summary,
        metrics=documents,
        plots={score.seed: score.plots for score in scores},
        costs={
            seed: SeedCost({"S2": StateCost(2.5, 900.0, {"topology": 1.5, "publish": 0.5})}) for seed in seeds
        },
        scoring_s=3.0,
        lanes=rules.certification.lanes,
        references=(
            Reference(
                "baseline", "Baseline", "Made up.", there, dict.fromkeys(seeds, "FAIL_REALISM"), changed
            ),
            Reference("last_good", "Last good run", "this home has none yet."),
        ),
        digests={"3B_validation_gate_matrix.csv": "78" * 32},
        trace=failure_trace(certification, header),
        reference=ReferenceTier.of(reference_sample(seeds)),
    )


def hostile(sound: ReportMaterial) -> ReportMaterial:
    """The same with text from outside that would be markup."""
    document = sound.metrics[42].as_json()
    document["provenance"]["blocked"] = HOSTILE
    document["provenance"]["datasets"] = {HOSTILE: "34" * 32}
    document["metrics"]["virtual_rate_by_country"][0]["value"] = HOSTILE
    change = PolicyChange(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    plots = {
        **sound.plots[42],
        "settlement_zones": sound.plots[42]["settlement_zones"].with_columns(
            tzid_settlement=sound.plots[42]["settlement_zones"]["tzid_settlement"].replace(
                sound.plots[42]["settlement_zones"]["tzid_settlement"][0], HOSTILE
            )
        ),
    }
    return replace(
        sound,
        metrics={**sound.metrics, 42: SeedDocument.of(document)},
        plots={**sound.plots, 42: plots},
        references=(
            replace(sound.references[0], policy_changes=[change], source=HOSTILE),
            sound.references[1],
        ),
    )
