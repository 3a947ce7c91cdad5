"""Runs of the real segment on a coarse world through Dagster, remembered by what the checks said."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from seg3b_assets.definitions import defs
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.orchestration.watch import Watch
from seg3b_assets_tests.policies.small import small_networks

TEST_CACHE = Path(os.environ.get("SEG3B_TEST_CACHE", "~/.cache/seg3b-tests")).expanduser()
COARSE = {
    "SEG3B_WORLD_RESOLUTION": "1.0",
    "SEG3B_WORLD_MERCHANTS": "1500",
    "SEG3B_CACHE": str(TEST_CACHE),
}


@dataclass(frozen=True)
class Installed:
    """An installation over the coarse world, watched through Dagster.

    Attributes:
        home, policies: its folders.
        watch: of its Dagster instance.
    """

    home: Path
    policies: Path
    watch: Watch

    def heads(self, seed: int = 42) -> dict[str, str]:
        """State key in force by state."""
        path = self.home / "heads" / f"seed={seed}.json"
        found: dict[str, str] = json.loads(path.read_bytes())["states"]
        return found

    def take(self, pack: Path, mode: str) -> None:
        """Put another posture in force: a policy pack, observing or enforcing."""
        for file in load_policies(pack).files.values():
            (self.policies / file.relative_path).write_bytes(file.content)
        self.change(
            "virtual_validation", r"^realism_enforcement_mode: \w+", f"realism_enforcement_mode: {mode}"
        )

    def change(self, policy_id: str, pattern: str, text: str) -> None:
        """Edit a policy."""
        path = self.policies / f"{policy_id}.yaml"
        edited, count = re.subn(pattern, text, path.read_text(), count=1, flags=re.MULTILINE)
        assert count == 1
        path.write_text(edited)


def quick_storage(folder: Path) -> dict[str, Any]:
    """The storage that ``dagster.yaml`` names, over databases in a folder."""
    return {
        "module": "seg3b_assets.orchestration.quick_history",
        "class": "QuickSqliteStorage",
        "config": {"base_dir": str(folder)},
    }


def on_disk_instance(folder: Path) -> dg.DagsterInstance:
    """An instance in files, with that storage."""
    return dg.DagsterInstance.local_temp(
        str(folder), overrides={"storage": {"custom": quick_storage(folder)}}
    )


@contextmanager
def coarse_installation(folder: Path, on_disk: bool = False) -> Iterator[Installed]:
    """An empty home, the shipped policies with small networks, an empty Dagster instance.

    Args:
        on_disk: keeps the instance in files, as a person has it; otherwise it is in memory.
    """
    opened = on_disk_instance(folder) if on_disk else dg.DagsterInstance.ephemeral()
    with pytest.MonkeyPatch.context() as environment, opened as instance:
        home, policies = folder / "home", folder / "policies"
        shutil.copytree(REPOSITORY / "policies", policies, ignore=shutil.ignore_patterns("baseline"))
        small_networks(policies)
        environment.delenv("SEG3B_UPSTREAM", raising=False)
        for name, value in (COARSE | {"SEG3B_HOME": str(home), "SEG3B_POLICIES": str(policies)}).items():
            environment.setenv(name, value)
        yield Installed(home, policies, Watch(defs, instance))


def checked(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """Evaluations of a run by ``asset:check``."""
    return {
        f"{each.asset_key.to_user_string()}:{each.check_name}": each
        for each in result.get_asset_check_evaluations()
    }


def steps_run(result: dg.ExecuteInProcessResult) -> set[str]:
    """Steps that started."""
    return {str(event.step_key) for event in result.all_events if event.is_step_start}
