"""Runs that lie: the segment's own states, one of them falsified, everything after it computed honestly.

The most careful forger has our code. A forgery changes what a state writes as it writes it, or replaces one
of a state's functions, and lets the rest of the run follow: ids, digests, indexes, tables, results, bundle
and flag all agree with one another, and S5 says that every check passed. Only the laws and the inputs
disagree.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import seg3b_assets.audit as audit_package
from seg3b_assets.audit import AuditReport, AuditTree
from seg3b_assets.audit.findings import CheckResult, DigestComparison, LogFacts
from seg3b_assets.contracts import contract
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.states import s5_bundle
from seg3b_assets.store import Staging
from seg3b_assets_tests.faults.exporting import export_heads
from seg3b_assets_tests.faults.specimen import SEED, Specimen

# The package names its function as the module is named.
sealing = importlib.import_module("seg3b_assets.states.s0_gate.seal")
Written = Callable[[Any], Any]


@dataclass(frozen=True)
class Forgery:
    """What lies in a run.

    Attributes:
        writes: by dataset, a change to what is written: frame to frame, document to document, or bytes to
            bytes. The states after it read the changed dataset.
        functions: by "module:name", a wrapper: it is given the true function and returns the false one.
        world: a change to a copy of the world, of which the run is then made.
        policies: a change to a copy of the policies, under which it is then made, by the world it is made of.
    """

    writes: Mapping[str, Written] = field(default_factory=dict)
    functions: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    world: Callable[[Path], None] | None = None
    policies: Callable[[Path, Path], None] | None = None

    def export(self, specimen: Specimen, folder: Path) -> Path:
        """Run the seed with the lie, and export what came out; the tree's folder."""
        root = None
        if self.world is not None:
            root = specimen.copy_of_world(folder / "world")
            self.world(root)
        policies = None
        if self.policies is not None:
            policies = specimen.copy_of_policies(folder / "policies")
            self.policies(policies, root or specimen.upstream)
        settings = specimen.settings(folder / "home", root, policies)
        with self._lying():
            SeedRun(settings, SEED).run()
        return export_heads(settings, folder / "tree")

    @contextlib.contextmanager
    def _lying(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for patch in (*_silenced_audit(), *self._changed_writes(), *self._replaced_functions()):
                stack.enter_context(patch)
            yield

    def _changed_writes(self) -> list[Any]:
        def table(true: Any) -> Any:
            def write(out: Staging, dataset: str, frame: Any, rows_per_part: int | None = None) -> None:
                true(out, dataset, self.writes.get(dataset, _same)(frame), rows_per_part)

            return write

        def bytes_of(true: Any) -> Any:
            def write(out: Staging, dataset: str, value: Any) -> None:
                change = self.writes.get(dataset)
                if change is not None and contract(dataset).format == "jsonl":
                    value = [change(b"".join(bytes(chunk) for chunk in value))]
                elif change is not None:
                    value = change(value)
                true(out, dataset, value)

            return write

        patches = [
            mock.patch.object(Staging, name, bytes_of(getattr(Staging, name)))
            for name in ("document", "lines", "blob")
        ]
        return [
            *patches,
            mock.patch.object(Staging, "table", table(Staging.table)),
            mock.patch.object(Staging, "_require", lambda *_: None),
        ]

    def _replaced_functions(self) -> list[Any]:
        patches = []
        for name, wrap in self.functions.items():
            module, _, function = name.partition(":")
            holder = __import__(module, fromlist=[function])
            for part in function.split(".")[:-1]:
                holder = getattr(holder, part)
            last = function.split(".")[-1]
            patches.append(mock.patch.object(holder, last, wrap(getattr(holder, last))))
        return patches


def _same(value: Any) -> Any:
    return value


def _silenced_audit() -> list[Any]:
    true = audit_package.audit

    def audit(tree: AuditTree, workers: int = 1) -> AuditReport:
        report = true(tree, workers)
        return replace(
            report,
            checks=tuple(CheckResult(result.spec, "PASS") for result in report.checks),
            comparisons=tuple(
                DigestComparison(each.digest_id, each.published, each.published)
                for each in report.comparisons
            ),
            logs={name: _as_expected(facts) for name, facts in report.logs.items()},
        )

    return [
        mock.patch.object(audit_package, "audit", audit),
        mock.patch.object(s5_bundle, "require_sound", lambda report: None),
        mock.patch.object(s5_bundle, "require_realistic", lambda results: None),
        mock.patch.object(sealing, "require_vouched", lambda *_: None),
        mock.patch.object(sealing, "require_path_columns", lambda *_: None),
    ]


def _as_expected(facts: LogFacts) -> LogFacts:
    return replace(facts, expected_lines=facts.lines, expected_accepted=facts.accepted)
