"""Structural checks as asset checks, generated from the contracts: a dataset cannot be added without them.

They belong to the step that publishes the dataset, which yields them after it; asked for alone, the step
looks at what is in force and publishes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import dagster as dg
import polars as pl

from seg3b_assets.contracts import contract
from seg3b_assets.inputs import structural_findings as findings
from seg3b_assets.inputs.published import Published
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.orchestration.lineage import SEEDS
from seg3b_assets.report.markdown import grid_markdown
from seg3b_assets.report.tables import plain_grid

NOT_READ: Final = frozenset({"jsonl", "binary", "flag"})


@dataclass(frozen=True)
class StructuralCheck:
    """One check of one dataset.

    Attributes:
        name: within the asset.
        dataset: the asset.
        description: what holds when it passes.
        look: reads the lineage.
    """

    name: str
    dataset: str
    description: str
    look: findings.Look

    @property
    def spec(self) -> dg.AssetCheckSpec:
        return dg.AssetCheckSpec(
            self.name, asset=self.dataset, description=self.description, partitions_def=SEEDS
        )

    @property
    def key(self) -> dg.AssetCheckKey:
        return dg.AssetCheckKey(dg.AssetKey(self.dataset), self.name)

    def result(self, reading: findings.Reading) -> dg.AssetCheckResult:
        """What the check finds; bytes that cannot be read fail it."""
        try:
            found = self.look(reading)
        except (Seg3BError, OSError, ValueError, pl.exceptions.PolarsError) as error:
            found = findings.Finding(False, f"It cannot be read: {error}")
        return dg.AssetCheckResult(
            asset_key=self.dataset,
            check_name=self.name,
            passed=found.passed,
            severity=dg.AssetCheckSeverity.ERROR,
            description=found.told,
            metadata=_metadata(found),
        )


_AGREEMENTS: Final = (
    StructuralCheck(
        "weights_sum_to_one",
        "edge_catalogue_3B",
        "Every merchant's edge weights sum to exactly 1.",
        findings.weights_sum_to_one,
    ),
    StructuralCheck(
        "agrees_with_catalogue",
        "edge_catalogue_index_3B",
        "Counts per merchant and in total are those of the edge catalogue.",
        findings.index_agrees_with_catalogue,
    ),
    StructuralCheck(
        "agrees_with_blob",
        "edge_alias_index_3B",
        "Counts are those of the edge catalogue; every slice lies where the index says, and the blob's "
        "digest is the one it names.",
        findings.tables_agree_with_catalogue_and_blob,
    ),
    StructuralCheck(
        "answers_the_contract",
        "virtual_validation_results_3B",
        "Every row of the validation contract has its one result.",
        findings.results_answer_the_contract,
    ),
    StructuralCheck(
        "seals_the_bundle",
        "passed_flag_3B",
        "The digest in the flag is that of the bundle's members.",
        findings.flag_seals_the_bundle,
    ),
)


@cache
def structural_checks(dataset_id: str) -> tuple[StructuralCheck, ...]:
    """The checks of a dataset."""
    declared = contract(dataset_id)
    found = [check for check in _AGREEMENTS if check.dataset == dataset_id]
    if declared.format in NOT_READ:
        return tuple(found)
    if declared.is_table and declared.keys:
        told = f"{', '.join(declared.keys)} is unique, and rows are in the contract's order."
        found.insert(0, StructuralCheck("keys", dataset_id, told, findings.keys_of(dataset_id)))
    told = f"Keeps {declared.schema_ref}: names, types and every rule on values."
    return (StructuralCheck("schema", dataset_id, told, findings.schema_of(dataset_id)), *found)


def structural_results(
    datasets: Iterable[str], published: Published, selected: Collection[dg.AssetCheckKey] | None = None
) -> Iterator[dg.AssetCheckResult]:
    """Results of the checks of these datasets: of those selected, or of all."""
    reading = findings.Reading(published)
    for dataset_id in datasets:
        for check in structural_checks(dataset_id):
            if selected is None or check.key in selected:
                yield check.result(reading)


def _metadata(found: findings.Finding) -> dict[str, Any]:
    facts: dict[str, Any] = dict(found.facts)
    if found.examples:
        facts["examples"] = dg.MetadataValue.md(grid_markdown(plain_grid(found.header, found.examples)))
    return facts
