"""An installation under test: a home, its settings, the command line over it, and what the home holds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from typer.testing import CliRunner

from seg3b_assets.cli import app
from seg3b_assets.contracts import contract
from seg3b_assets.pipeline import Segment
from seg3b_assets.store import Snapshot, Store
from seg3b_assets.store.outputs import digest_on_disk
from seg3b_assets.store.snapshots import read_snapshot
from seg3b_assets_tests.end_to_end.upstream_copies import link_tree

STATES = ("S0", "S1", "S2", "S3", "S4", "S5")
RESOLUTION = 1.0
SMALL, COARSE = 300, 1500
SEED = 42


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.stdout)
        return found

    def passed(self) -> dict[str, Any]:
        """The object a command printed that must have passed."""
        assert self.exit_code == 0, self.stderr
        return self.json

    @property
    def error(self) -> dict[str, Any]:
        """The record of a run that failed."""
        error: dict[str, Any] = self.json["error"]
        return error


@dataclass(frozen=True)
class Installation:
    """Where everything is, as the environment would configure it.

    Attributes:
        upstream: a root of its own; None for the embedded world of ``merchants``.
        variables: further environment variables.
    """

    home: Path
    policies: Path
    cache: Path
    upstream: Path | None = None
    merchants: int = SMALL
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        configured = {
            "SEG3B_HOME": str(self.home),
            "SEG3B_POLICIES": str(self.policies),
            "SEG3B_CACHE": str(self.cache),
            "SEG3B_WORLD_RESOLUTION": str(RESOLUTION),
            "SEG3B_WORLD_MERCHANTS": str(self.merchants),
            "SEG3B_UPSTREAM": str(self.upstream or ""),
            "SEG3B_WORKERS": "2",
        }
        return {**configured, **self.variables}

    def seg3b(self, *arguments: str, segment: Segment | None = None) -> Outcome:
        """A command, in this process."""
        done = CliRunner(env=self.environment).invoke(app, list(arguments), obj=segment)
        return Outcome(done.exit_code, done.stdout, done.stderr)

    def run(self, *arguments: str, seed: int = SEED, segment: Segment | None = None) -> Outcome:
        """``seg3b run --json``, in this process."""
        return self.seg3b("run", "--seed", str(seed), "--json", *arguments, segment=segment)

    def start(self, *arguments: str, seed: int = SEED) -> subprocess.Popen[str]:
        """``seg3b run --json`` in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "seg3b_assets.cli", "run", "--seed", str(seed), "--json", *arguments],
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_elsewhere(self, *arguments: str, seed: int = SEED) -> Outcome:
        """``seg3b run --json`` in a process of its own, until it ends."""
        return finish(self.start(*arguments, seed=seed))

    @property
    def store(self) -> Store:
        return Store(self.home, contract)

    def heads(self, seed: int = SEED) -> dict[str, str]:
        return self.store.heads(seed)

    def snapshots(self, seed: int = SEED) -> dict[str, Snapshot]:
        """The snapshots in force, by state."""
        found = {state: self.store.snapshot(state, key) for state, key in self.heads(seed).items()}
        assert None not in found.values()
        return {state: snapshot for state, snapshot in found.items() if snapshot}

    def digests(self, seed: int = SEED) -> dict[str, str]:
        """The digest of every published dataset, as its ``snapshot.json`` has it."""
        return {
            dataset: record.digest
            for snapshot in self.snapshots(seed).values()
            for dataset, record in snapshot.outputs.items()
        }

    def path(self, dataset_id: str, seed: int = SEED) -> Path:
        """Where a published dataset lies."""
        [snapshot] = [one for one in self.snapshots(seed).values() if dataset_id in one.outputs]
        return snapshot.path(dataset_id)

    def condition(self) -> Condition:
        """What a failed run must leave as it was."""
        staging, heads = self.home / "staging", self.home / "heads"
        roots = sorted((self.home / "snapshots").glob("S?/*"))
        return Condition(
            heads={path.name: path.read_bytes() for path in sorted(heads.glob("*"))},
            snapshots={f"{root.parent.name}/{root.name}" for root in roots},
            spoilt=[str(root) for root in roots if not _is_whole(root)],
            leftovers=[
                *(str(path) for path in (staging.iterdir() if staging.is_dir() else ())),
                *(str(path) for path in self.home.rglob("*.new")),
            ],
        )


@dataclass(frozen=True)
class Condition:
    """A home's state: heads, published snapshots, those of them that are not whole, and work left lying."""

    heads: dict[str, bytes]
    snapshots: set[str]
    spoilt: list[str]
    leftovers: list[str]

    def published_since(self, before: Condition) -> set[str]:
        """The states that gained a snapshot."""
        return {name.split("/")[0] for name in self.snapshots - before.snapshots}


def finish(process: subprocess.Popen[str]) -> Outcome:
    """Wait for a started command."""
    stdout, stderr = process.communicate(timeout=120)
    return Outcome(process.returncode, stdout, stderr)


def copy_home(source: Path, target: Path) -> None:
    """Another home with the same snapshots, heads and records; locks are not shared between the two."""
    link_tree(source / "snapshots", target / "snapshots")
    for folder in ("heads", "runs", "builds", "policies"):
        shutil.copytree(source / folder, target / folder)


def _is_whole(root: Path) -> bool:
    snapshot = read_snapshot(root)
    if snapshot is None or snapshot.damage():
        return False
    return all(digest_on_disk(record, root) == record.digest for record in snapshot.outputs.values())
