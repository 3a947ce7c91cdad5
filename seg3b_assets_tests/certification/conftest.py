"""A coarse world certified once per session, under bounds that it meets whatever the policies' values are.

Three thousand merchants on a 1° surface give a hundred virtual ones and a class of more than thirty. One seed
is the policy's, one is nobody's. The bounds are generous because these tests are about certifying; whether
the shipped policies pass is not theirs to say.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from seg3b_assets.certification import CertificationRun, certify
from seg3b_assets.policies.strict_yaml import parse_document
from seg3b_assets.settings import REPOSITORY, Settings
from seg3b_assets.world import WorldRecipe
from seg3b_assets_tests.end_to_end.installation import Installation, copy_home
from seg3b_assets_tests.made_once import made_once
from seg3b_assets_tests.policies.small import small_networks
from seg3b_assets_tests.policies.spoiling import spoilt
from seg3b_assets_tests.store.back_ends import BACK_ENDS, BackEnd

MERCHANTS, RESOLUTION = 3000, 1.0
SEEDS = (42, 31415)
GENEROUS = {">=": 0.0, "<=": 1.0, "range": [0.0, 1.0], "bool_true": True}
GENEROUS_KM = 20_000.0


@pytest.fixture(params=BACK_ENDS)
def back_end(request: pytest.FixtureRequest) -> BackEnd:
    found: BackEnd = request.param
    return found


@dataclass(frozen=True)
class Certified:
    """A home with a certification in it, and how it was made."""

    settings: Settings
    run: CertificationRun

    @property
    def files(self) -> dict[str, bytes]:
        return contents(self.run.folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes by name of a folder's files."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def edit(policies: Path, policy: str, changes: dict[str, Any]) -> None:
    """Change values of a policy file by key."""
    path = policies / f"{policy}.yaml"
    data = path.read_bytes()
    for key, value in changes.items():
        data = spoilt(data, key, value)
    path.write_bytes(data)


def loosen(policies: Path) -> None:
    """Give every gate a bound that nothing misses."""
    for policy, gates in (("virtual_validation", "hard_gates"), ("certification", "stretch_gates")):
        rules = parse_document((policies / f"{policy}.yaml").read_bytes()).value[gates]
        edit(policies, policy, {f"{gates}.{gate}.threshold": _generous(rule) for gate, rule in rules.items()})
    bounds = {"stability.max_cv_b": 1.0, "stability.max_cv_bplus": 1.0, "prevalence_band": [0.0, 1.0]}
    edit(policies, "certification", bounds)


def ask_for(policies: Path, seeds: Sequence[int]) -> None:
    """Have the certification policy ask for these seeds."""
    edit(policies, "certification", {"seeds": list(seeds), "lanes.certification.seeds": list(seeds)})


def _generous(rule: dict[str, Any]) -> Any:
    in_km = str(rule.get("metric") or rule["metrics"][0]).endswith("_km")
    return GENEROUS_KM if in_km else GENEROUS[rule["operator"]]


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where test worlds are kept; $SEG3B_TEST_CACHE moves it."""
    return Path(os.environ.get("SEG3B_TEST_CACHE", "~/.cache/seg3b-tests")).expanduser()


@pytest.fixture(scope="session")
def certified(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """Two seeds certified in a home of their own, once for all of pytest's workers. Read it; change a copy."""
    return made_once(tmp_path_factory, "certified", lambda folder: _certified(folder, cache))


def _certified(folder: Path, cache: Path) -> Certified:
    policies = Path(shutil.copytree(REPOSITORY / "policies", folder / "policies"))
    loosen(small_networks(policies))
    ask_for(policies, SEEDS)
    settings = Settings(
        home=folder / "home",
        policies=policies,
        upstream=None,
        recipe=WorldRecipe(resolution_deg=RESOLUTION, merchants=MERCHANTS),
        cache=cache,
        workers=2,
    )
    return Certified(settings, certify(settings, SEEDS))


@pytest.fixture
def again(certified: Certified, tmp_path: Path) -> Settings:
    """Settings over a copy of the certified home, and over a copy of its policies, both to be changed."""
    copy_home(certified.settings.home, tmp_path / "home")
    shutil.copytree(certified.run.folder.parent, tmp_path / "home" / "certifications")
    policies = Path(shutil.copytree(certified.settings.policies, tmp_path / "policies"))
    return replace(certified.settings, home=tmp_path / "home", policies=policies)


@pytest.fixture
def installation(again: Settings) -> Installation:
    """The same for the command line."""
    return Installation(again.home, again.policies, again.cache, merchants=MERCHANTS)
