"""The run that faults are planted in: one small world, published once, copied with hard links.

The policies are the shipped ones with small networks (some hundred edges a merchant) in observe mode, so that a
copy is made, spoilt and examined in half a second.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from seg3b_assets.pipeline.segment import upstream_root
from seg3b_assets.progress import SILENT
from seg3b_assets.settings import REPOSITORY, Settings
from seg3b_assets.world import WorldRecipe
from seg3b_assets_tests.policies.small import small_networks

SEED = 42
RECIPE = WorldRecipe(resolution_deg=1.0, merchants=300)
# Several part files, so that one can be dropped, renamed or cut elsewhere.
_EDGES_PER_PART = 1000


@dataclass(frozen=True)
class Specimen:
    """A finished run.

    Attributes:
        tree: its exported contract tree.
        folder: of the policies and the home it was made in.
    """

    tree: Path
    folder: Path

    @property
    def policies(self) -> Path:
        return self.folder / "policies"

    @property
    def upstream(self) -> Path:
        """Root of the world it was made of."""
        return upstream_root(self.settings(self.folder / "home"), SEED, SILENT)

    def settings(self, home: Path, upstream: Path | None = None, policies: Path | None = None) -> Settings:
        """Settings of another run, under the same policies or those named, of the same world or of the one named."""
        return Settings.from_environment(
            home=home,
            policies=policies or self.policies,
            cache=world_cache(),
            recipe=RECIPE,
            workers=1,
            promote=True,
            upstream=upstream,
        )

    def copy_of_policies(self, folder: Path) -> Path:
        """A copy of the policies, to change."""
        return Path(shutil.copytree(self.policies, folder))

    def copy_of_world(self, folder: Path) -> Path:
        """A copy of the world's root, by hard links: replace files, never write into one."""
        return Path(shutil.copytree(self.upstream, folder, copy_function=_link))

    def copy(self, folder: Path) -> Path:
        """A copy of the tree, by hard links: replace files, never write into one."""
        return Path(shutil.copytree(self.tree, folder, copy_function=os.link, symlinks=True))


def _link(source: str, target: str) -> None:
    os.link(Path(source).resolve(), target)


def world_cache() -> Path:
    """Where worlds are kept between sessions."""
    return Path(os.environ.get("SEG3B_TEST_CACHE", "~/.cache/seg3b-tests")).expanduser()


def small_policies(folder: Path) -> Path:
    """The shipped policies with small networks, observing."""
    policies = Path(
        shutil.copytree(REPOSITORY / "policies", folder, ignore=shutil.ignore_patterns("baseline"))
    )
    small_networks(policies, _EDGES_PER_PART)
    validation = policies / "virtual_validation.yaml"
    validation.write_text(
        validation.read_text(encoding="utf-8").replace("mode: enforce", "mode: observe"), encoding="utf-8"
    )
    return policies
