"""Policies as everybody reads them: by the loader of ``policies``, with what a gate may name.

Policies lie below the metrics and the datasets that their gates name, so the loader is told of both; here is where it
is. An unknown name is refused with the file, before anything is sealed.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypeVar

from seg3b_assets.contracts import all_contracts
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.policies import Policy, PolicySet, loader
from seg3b_assets.policies.gates import Vocabulary
from seg3b_assets.policies.strict_yaml import Document
from seg3b_assets.realism.reference_tier.pooling import POOLED_METRICS
from seg3b_assets.realism.reference_tier.registry import REFERENCE_METRICS
from seg3b_assets.realism.registry import SEED_METRICS

P = TypeVar("P", bound=Policy)
_MEASURED_STATES = frozenset({"S1", "S2", "S3", "S4"})


@cache
def vocabulary() -> Vocabulary:
    """The metrics that are measured of a seed, and the datasets of S1 to S4.

    The metrics of the routing probe are not among them: the policy's false-alarm rate is what those are held against.
    """
    return Vocabulary(
        metrics=frozenset(metric.name for metric in SEED_METRICS),
        datasets=frozenset(each.id for each in all_contracts().values() if each.producer in _MEASURED_STATES),
        reference_metrics=frozenset({**REFERENCE_METRICS, **POOLED_METRICS}),
    )


def load_policies(folder: Path, lacking: Path | None = None) -> PolicySet:
    """As ``policies.loader.load_policies``."""
    return loader.load_policies(folder, vocabulary(), lacking)


def policies_and_errors(folder: Path) -> tuple[PolicySet | None, list[Seg3BError]]:
    """As ``policies.loader.policies_and_errors``."""
    return loader.policies_and_errors(folder, vocabulary())


def load_policy(folder: Path, model: type[P]) -> P:
    """As ``policies.loader.load_policy``."""
    return loader.load_policy(folder, model, vocabulary())


def parse_policy(file: str, data: bytes, model: type[Policy]) -> tuple[Policy, Document]:
    """As ``policies.loader.parse_policy``."""
    return loader.parse_policy(file, data, model, vocabulary())
