"""The contributor's recipes: each is applied to a copy of this checkout, and does there what it says."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.documents.blocks import IN_RECIPE, Block, every_block
from seg3b_assets_tests.documents.session import checkout, environment, run

CACHE = Path(os.environ.get("SEG3B_TEST_CACHE", "~/.cache/seg3b-tests")).expanduser()
PAGE = REPOSITORY / "docs" / "contributor.md"
# Files a person changes, by recipe; the pages that `make docs` writes come besides.
MOST_FILES = {
    "Add a gate": 6,
    "Add a metric, and a gate on it": 6,
    "Add a policy knob": 5,
    "Add a dataset": 6,
    "Add an audit check": 4,
    "Add a state": 16,
}
AFTER = {"Add an audit check": "Add a dataset"}
_MATRIX = ".seg3b/certifications/*/3B_validation_gate_matrix.csv"
_OF_S1 = (
    "test -s .seg3b/snapshots/S1/*/data/layer1/3B/virtual_prevalence/seed=42/*/virtual_prevalence_3B.parquet"
)
_OF_S6 = "test -s .seg3b/snapshots/S6/*/reports/layer1/3B/state=S6/seed=42/*/handover_3B.json"
_ASSET = "from seg3b_assets.definitions import defs; defs.resolve_assets_def('virtual_prevalence_3B')"
# What a seed of a coarse world then shows. Its verdict is not the point, so certify may say what it likes.
SHOWN = {
    "Add a gate": (
        "seg3b certify --seeds 42 || test $? -eq 1\n"
        f"grep -q '3B-V13,hard,all_virtual,top1_country_share_p90' {_MATRIX}\n"
    ),
    "Add a metric, and a gate on it": (
        "seg3b certify --seeds 42 || test $? -eq 1\n"
        f"grep -q '3B-S13,stretch,all_virtual,edges_per_merchant_min' {_MATRIX}\n"
    ),
    "Add a policy knob": (
        "mkdir what-if; echo 'base: shipped' > what-if/overlay.yaml\n"
        "echo 'classification_of_merchants: {footprint_countries: 4}' > what-if/edge_topology.yaml\n"
        "seg3b run --seed 42 --policies what-if | tee told.txt\n"
        "grep -q 'footprint_countries 2 -> 4' told.txt; grep -q '^flag ' told.txt\n"
    ),
    "Add a dataset": f'seg3b run --seed 42\n{_OF_S1}\npython -c "{_ASSET}"\n',
    "Add an audit check": (
        "seg3b run --seed 42\nseg3b export heads tree\nseg3b verify tree --json > checks.json\n"
        "grep -q '\"S1.prevalence\"' checks.json\n"
    ),
    "Add a state": (
        f"seg3b run --seed 42\n{_OF_S6}\nseg3b export heads tree\nseg3b verify tree --json > checks.json\n"
        "grep -q '\"S6.handover\"' checks.json\n"
        f'python -c "{_ASSET.replace("virtual_prevalence_3B", "handover_3B")}"\n'
    ),
}


@dataclass(frozen=True)
class Recipe:
    """One section of the page: its change, and what is run after it."""

    title: str
    change: str
    commands: tuple[Block, ...]

    @property
    def files(self) -> set[str]:
        """The files the change touches."""
        named = re.findall(r"^(?:---|\+\+\+) (?:[ab]/)?(\S+)$", self.change, flags=re.MULTILINE)
        return set(named) - {"/dev/null"}

    def apply(self, folder: Path) -> None:
        """Make the change in a copy."""
        subprocess.run(
            ["git", "apply", "--verbose", "-"], cwd=folder, input=self.change, text=True, check=True
        )


def recipes() -> dict[str, Recipe]:
    """The recipes that are a change, by title."""
    found = {}
    for section in re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, blocks = section.splitlines()[0], every_block(PAGE.name, section)
        change = "".join(block.body for block in blocks if block.language == "diff")
        if change:
            found[title] = Recipe(title, change, tuple(one for one in blocks if one.note == IN_RECIPE))
    return found


RECIPES = recipes()


def test_a_recipe_touches_few_files() -> None:
    assert RECIPES.keys() == MOST_FILES.keys() == SHOWN.keys()
    touched = {title: len(recipe.files) for title, recipe in RECIPES.items()}
    assert all(0 < touched[title] <= most for title, most in MOST_FILES.items()), touched


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_fits_the_repository(title: str, tmp_path: Path) -> None:
    """Every file it changes is there, and has the lines it changes."""
    for name in {*RECIPES[title].files, *(RECIPES[AFTER[title]].files if title in AFTER else ())}:
        if (REPOSITORY / name).exists():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    for step in (AFTER.get(title), title):
        if step is not None:
            RECIPES[step].apply(tmp_path)


@pytest.mark.e2e
@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_does_what_it_says(title: str, tmp_path: Path) -> None:
    folder = checkout(tmp_path / "seg3b-assets")
    # Some tests ask git which files there are.
    for command in (["init", "-q"], ["add", "-A", "--", ":!.venv"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    if title in AFTER:
        RECIPES[AFTER[title]].apply(folder)
    recipe = RECIPES[title]
    recipe.apply(folder)
    coarse = {"SEG3B_WORLD_RESOLUTION": "1.0", "SEG3B_WORLD_MERCHANTS": "1500", "SEG3B_CACHE": str(CACHE)}
    made = run(recipe.commands, folder, environment(folder))
    assert made.returncode == 0, made.stdout[-6000:]
    shown = run([Block(PAGE.name, 0, "sh", SHOWN[title], "")], folder, environment(folder) | coarse)
    assert shown.returncode == 0, shown.stdout[-6000:]
