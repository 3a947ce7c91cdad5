"""Which checks there are: each is declared beside the function that makes it.

Checks of a dataset as such (readable, closed schema, identity, keys, order) follow from its contract, so that a dataset
cannot be added without them. Importing the audit declares the others.

One damage fails many checks. Those of values stand on the ground, those over what others judge on higher floors: of the
failed ones, the lowest speak of the fault, and one above follows from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Final, TypeVar

from seg3b_assets.audit.findings import CheckResult, CheckSpec
from seg3b_assets.contracts import all_contracts
from seg3b_assets.laws.identity import AUDITED_STATES, STATES_AFTER_AUDIT

RNG_INVALID: Final = "RNG_LOG_MISSING_OR_INVALID"
BUNDLE_MISMATCH: Final = "BUNDLE_CONTENT_MISMATCH"
LAST_REPORT: Final = "s5_run_report_3B"
LOG_NAMES: Final = {
    "rng_event_edge_tile_assign_3B": "S2.tile_assign",
    "rng_event_edge_jitter_3B": "S2.jitter",
    "rng_trace_log_3B": "S2.trace",
    "rng_audit_log_3B": "S2.rng_audit",
}
_OF_AUDIT: Final[dict[str, CheckSpec]] = {}
_OF_TREE: Final[dict[str, CheckSpec]] = {}
# From the ground up; a check that matches none stands on the ground.
_FLOORS: Final = (
    # What a row or a merchant adds up to, once its values are wrong.
    (
        "S0.receipt_*",
        "S1.classification_digest",
        "S1.settlement_coord_digest",
        "S1.settlement_set",
        "S2.edge_digest",
        "S2.sampling_rank",
        "S2.profile_metrics",
        "S2.profile_budget",
        "S2.summary",
        "S2.precheck",
        "S2.*.accounting",
        "S3.alias_distribution",
        "S3.alias_table",
        "tree.datasets",
        "tree.tile_excerpt_used",
    ),
    ("S2.index_*", "S3.alias_checksum", "S3.alias_rows"),
    ("S2.index_global", "S3.blob_digest"),
    ("S3.universe_components",),
    ("S3.universe_hash", "S4.universe_binding"),
    ("S4.results",),
    ("S4.run_summary",),
    ("S0.run_id", "S5.examination"),
    ("S?.run_report",),
    ("S5.published_digests",),
    ("S5.manifest",),
    (
        "S5.structural_summary",
        "S5.rng_summary",
        "S5.digest_summary",
        "S5.realism_results",
        "S5.carried",
        "S5.audit",
    ),
    ("S5.bundle_index",),
    ("S5.flag",),
    ("S5.run_report",),
    ("tree.files", "tree.states"),
)

_F = TypeVar("_F", bound=Callable[..., Any])


def check(check_id: str, law: str, likely_cause: str, code: str = "") -> Callable[[_F], _F]:
    """Declare a check of S5's audit, and so of ``seg3b verify``, beside the function that makes it.

    Args:
        check_id: the state whose output it judges, a dot, and what it judges. law: as ``§4 placement``.
        likely_cause: where a person looks first. code: S5's error; its state's contract violation if none is given.
    """
    return _declared(
        _OF_AUDIT, CheckSpec(check_id, law, code or f"{check_id[:2]}_CONTRACT_VIOLATION", likely_cause)
    )


def tree_check(check_id: str, law: str, likely_cause: str, code: str = BUNDLE_MISMATCH) -> Callable[[_F], _F]:
    """Declare a check that ``seg3b verify`` alone makes: S5 writes the bundle after its audit, and exports nothing."""
    return _declared(_OF_TREE, CheckSpec(check_id, law, code, likely_cause))


def _declared(where: dict[str, CheckSpec], spec: CheckSpec) -> Callable[[_F], _F]:
    if spec.check_id in _OF_AUDIT or spec.check_id in _OF_TREE:
        raise ValueError(f"two checks are called {spec.check_id}")
    where[spec.check_id] = spec
    return lambda function: function


@cache
def check_specs() -> tuple[CheckSpec, ...]:
    """Every check of S5's audit, in check_id order."""
    of_datasets = [spec for dataset in audited_datasets() for spec in _dataset_specs(dataset)]
    return tuple(sorted((*_OF_AUDIT.values(), *of_datasets), key=lambda spec: spec.check_id))


@cache
def tree_specs() -> tuple[CheckSpec, ...]:
    """The checks that ``seg3b verify`` makes besides: of the tree as a whole, and of the bundle in it."""
    of_members = [
        spec for dataset in (*bundle_documents(), *later_datasets()) for spec in _member_specs(dataset)
    ]
    return tuple(sorted((*_OF_TREE.values(), *of_members), key=lambda spec: spec.check_id))


@cache
def audited_datasets() -> tuple[str, ...]:
    """Ids of the datasets S0 to S4 publish."""
    return tuple(
        dataset_id
        for dataset_id, declared in all_contracts().items()
        if declared.producer in AUDITED_STATES and declared.status == "active"
    )


@cache
def bundle_documents() -> tuple[str, ...]:
    """Ids of the bundle's documents that S5 itself writes, its index among them."""
    folder = all_contracts()["validation_bundle_3B"].path
    return tuple(
        declared.id
        for declared in all_contracts().values()
        if declared.producer == "S5" and declared.path.startswith(folder) and declared.format == "json"
    )


@cache
def later_datasets() -> tuple[str, ...]:
    """Ids of what is published once S5 has audited: its run report, and the datasets of states after it."""
    after = [
        declared.id
        for declared in all_contracts().values()
        if declared.producer in STATES_AFTER_AUDIT and declared.status == "active"
    ]
    return (LAST_REPORT, *after)


def dataset_check(dataset_id: str, aspect: str) -> str:
    """Id of a dataset's own check: aspect is contract, identity, unique or order."""
    return f"{all_contracts()[dataset_id].producer}.{dataset_id}.{aspect}"


def log_check(dataset_id: str, aspect: str) -> str:
    """Id of an evidence log's check: ``S2.jitter.philox``."""
    return f"{LOG_NAMES[dataset_id]}.{aspect}"


def _dataset_specs(dataset_id: str) -> list[CheckSpec]:
    declared = all_contracts()[dataset_id]
    state, law = declared.producer, f"§{declared.schema.get('x-law', '0')}"
    code = "INPUT_SCHEMA_MISMATCH" if state == "S0" else f"{state}_CONTRACT_VIOLATION"
    if dataset_id in LOG_NAMES:
        code = RNG_INVALID
    aspects = [
        ("contract", code, "the file is missing, unreadable, or has values its contract forbids"),
        ("identity", "IDENTITY_MISMATCH", "rows or path of another seed, world or run"),
    ]
    if declared.is_table and declared.format != "jsonl":
        aspects += [
            ("unique", code, "a key occurs twice"),
            ("order", code, "rows are not in the contract's order"),
        ]
    return [
        CheckSpec(f"{state}.{dataset_id}.{aspect}", law, code_, cause) for aspect, code_, cause in aspects
    ]


def _member_specs(dataset_id: str) -> tuple[CheckSpec, CheckSpec]:
    law, state = "§7 bundle", all_contracts()[dataset_id].producer
    return (
        CheckSpec(f"{state}.{dataset_id}.contract", law, BUNDLE_MISMATCH, "the member breaks its contract"),
        CheckSpec(f"{state}.{dataset_id}.identity", law, "IDENTITY_MISMATCH", "a member of another run"),
    )


def floor(check_id: str) -> int:
    """0 for a check of values themselves, higher for one over what others judge."""
    found = [
        at for at, patterns in enumerate(_FLOORS, 1) if any(fnmatchcase(check_id, one) for one in patterns)
    ]
    return max(found, default=0)


def in_causal_order(failed: Sequence[CheckResult]) -> list[tuple[CheckResult, str | None]]:
    """Failed checks, those that speak of the fault first, each with the check it follows from, if any."""
    ranked = sorted(failed, key=lambda result: (floor(result.check_id), result.check_id))
    if not ranked:
        return []
    root = ranked[0].check_id
    return [(one, root if floor(one.check_id) > floor(root) else None) for one in ranked]
