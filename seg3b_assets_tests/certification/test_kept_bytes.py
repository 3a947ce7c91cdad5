"""What was certified before certifies to the same bytes: every document of four seeds, and every dataset of S0 to S4.

Masked is what a new check of the audit changes, S5's digests and the ids that follow from them, and the digest of the
certification policy's file, to which the reference tier was added. The tier's own document is new and left out. The
record was written by the release before; who changes bytes on purpose writes it anew, and says so in CHANGELOG.md:

    SEG3B_RECORD=1 pytest -m e2e seg3b_assets_tests/certification/test_kept_bytes.py
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from seg3b_assets.certification import certify
from seg3b_assets.contracts import contract
from seg3b_assets.laws.hashing import sha256_hex, sha256_json
from seg3b_assets.settings import Settings
from seg3b_assets.world import WorldRecipe
from seg3b_assets_tests.certification.conftest import MERCHANTS, RESOLUTION

pytestmark = pytest.mark.e2e

RECORD = Path(__file__).parents[1] / "data" / "certified_before.json"
LEFT_OUT = {"certification.json", "3B_validation_reference.json"}


def masked(document: dict[str, Any]) -> dict[str, Any]:
    """A document without what S5's own bytes decide, and without the bytes of the unsealed policy."""
    provenance = document.get("provenance")
    if provenance is None:
        return document
    datasets = {
        name: digest for name, digest in provenance["datasets"].items() if contract(name).producer != "S5"
    }
    states = {state: key for state, key in provenance["states"].items() if state != "S5"}
    kept = {name: value for name, value in provenance.items() if name not in ("lineage_id", "flag")}
    policies = {name: digest for name, digest in kept["policies"].items() if name != "certification"}
    return {
        **document,
        "provenance": {**kept, "states": states, "datasets": datasets, "policies": policies},
    }


def digests(folder: Path) -> dict[str, str]:
    """Digest by name of a certification's files, masked; its own list of digests and the new document aside."""
    return {
        path.name: sha256_json(masked(orjson.loads(path.read_bytes())))
        if path.suffix == ".json"
        else sha256_hex(path.read_bytes())
        for path in sorted(folder.iterdir())
        if path.name not in LEFT_OUT
    }


def test_documents_and_datasets_are_those_of_the_release_before(cache: Path, tmp_path: Path) -> None:
    recipe = WorldRecipe(resolution_deg=RESOLUTION, merchants=MERCHANTS)
    settings = Settings.from_environment(home=tmp_path / "home", recipe=recipe, cache=cache, upstream=None)
    found = digests(certify(settings).folder)
    shutil.rmtree(tmp_path / "home")
    if os.environ.get("SEG3B_RECORD"):
        RECORD.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    assert found == orjson.loads(RECORD.read_bytes())
    assert len(found) == 10
