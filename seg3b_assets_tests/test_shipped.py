"""What ships is found in a checkout and in a wheel, and a wheel carries all of it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import seg3b_assets
from seg3b_assets import shipped as module
from seg3b_assets.pipeline.keys import RUNTIME_PACKAGES
from seg3b_assets.reference.pages import DOORS, install_line, packages, with_installs
from seg3b_assets.settings import REPOSITORY
from seg3b_assets.world.recipe import INGREDIENTS

CODE = sorted((REPOSITORY / "seg3b_assets").rglob("*.py"))
# Tools of a checkout: they write its pages, time its commands, or are asked where a checkout is.
OF_A_CHECKOUT = {"settings.py", "reference/__main__.py", "reference/pages.py", "bench/dagster_overhead.py"}


def test_a_checkout_is_read_where_people_edit_it() -> None:
    assert module.shipped("policies") == REPOSITORY / "policies"
    with pytest.raises(FileNotFoundError, match="without nonsense"):
        module.shipped("nonsense")


def test_an_installed_package_reads_what_it_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried = tmp_path / "seg3b_assets" / "_shipped" / "policies"
    carried.mkdir(parents=True)
    monkeypatch.setattr(module.importlib.resources, "files", lambda name: tmp_path / name)
    assert module.shipped.__wrapped__("policies") == carried


def test_a_wheel_carries_whatever_the_code_asks_for() -> None:
    build = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    carried = build["targets"]["wheel"]["force-include"]
    assert all(target == f"seg3b_assets/_shipped/{source}" for source, target in carried.items())
    assert all((REPOSITORY / source).exists() for source in carried)
    asked = {
        name.split("{")[0].rstrip("/")
        for path in CODE
        for name in re.findall(r"""\bshipped\(f?"([^"]+)"\)""", path.read_text(encoding="utf-8"))
    } | {"dagster.yaml", "workspace.yaml", "deploy/dagster-postgres.yaml", "deploy/dagster-s3-logs.yaml"}
    assert {name for name in asked if not any(f"{name}/".startswith(f"{held}/") for held in carried)} == set()


def test_nothing_that_ships_looks_for_a_checkout() -> None:
    counting = re.compile(r"REPOSITORY|__file__\)[.\w()]*\.parents\[")
    found = {
        path.relative_to(REPOSITORY / "seg3b_assets").as_posix()
        for path in CODE
        if counting.search(path.read_text(encoding="utf-8"))
    }
    assert found <= OF_A_CHECKOUT


def test_the_package_says_its_version_and_is_typed() -> None:
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert seg3b_assets.__version__ == declared
    assert (REPOSITORY / "seg3b_assets" / "py.typed").is_file()
    with pytest.raises(AttributeError, match="nonsense"):
        _ = seg3b_assets.nonsense


def test_what_the_bytes_follow_has_one_version_on_every_python() -> None:
    """A range would be resolved one way under Python 3.11 and another under 3.13, and name two worlds."""
    wanted = {*INGREDIENTS, *RUNTIME_PACKAGES}
    listed = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = dict(one.split("==") for one in listed if "==" in one)
    locked: dict[str, list[str]] = {name: [] for name in wanted}
    for package in tomllib.loads((REPOSITORY / "uv.lock").read_text())["package"]:
        locked.get(package["name"], []).append(package["version"])
    assert {name: [pinned.get(name)] for name in wanted} == locked


def test_short_installs_leave_out_what_their_users_do_not_need() -> None:
    assert packages("read").isdisjoint({"dagster", "shapely", "scipy", "matplotlib", "pyarrow"})
    assert packages("verify").isdisjoint({"dagster", "matplotlib"})
    assert {"polars", "numpy", "tzdata", "typer"} <= packages("read")


@pytest.mark.parametrize("door", DOORS)
def test_the_consumers_page_gives_the_line_as_the_imports_are_now(door: str) -> None:
    page = (REPOSITORY / "docs" / "consumer.md").read_text(encoding="utf-8")
    assert install_line(door) in page, "run `make docs`"
    assert with_installs(page) == page
