"""What a tree costs to verify grows as the tree does: no matching of rows with files, nothing large read many times."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from seg3b_assets.audit import exported as whose
from seg3b_assets.audit import receipt, verification
from seg3b_assets.audit import upstream as root_of
from seg3b_assets.audit.exported import ExportedTree
from seg3b_assets.audit.findings import Findings
from seg3b_assets.audit.listing import Folders, Listing, Paths
from seg3b_assets.audit.verification import verify, verify_specs
from seg3b_assets.cli import app
from seg3b_assets.consume import open_run
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.plain_files import Reach
from seg3b_assets.settings import REPOSITORY, Settings
from seg3b_assets_tests.audit.spoilt_tree import Tree, failed

SHIPPED = REPOSITORY / "policies"
IDENTITY = RunIdentity(42, "a" * 64, "b" * 64, "2026-11-01T00:00:00.000000Z", "c" * 64)
# Names that sort around the slash, so that neighbours of a folder are not what is below it.
NAME = st.text("a./-é", min_size=1, max_size=6).map(lambda name: name.strip("/")).filter(bool)


@given(st.sets(NAME), NAME)
def test_what_lies_below_a_folder(paths: set[str], folder: str) -> None:
    below = [path for path in sorted(paths) if path.startswith(f"{folder}/")]
    found = Paths(paths)
    assert list(found.below(folder)) == list(found.below(f"{folder}/")) == below
    assert found.any_below(folder) is bool(below)


@given(st.sets(NAME), NAME)
def test_whether_folders_hold_a_path(folders: set[str], path: str) -> None:
    prefixes = [f"{folder}/" for folder in folders]
    assert Folders(prefixes).hold(path) is path.startswith(tuple(prefixes))


def _sealed(count: int, files: int) -> ExportedTree:
    """A tree of so many sealed folders and files, as far as it is matched; nothing of it is on disk."""
    rows = [
        {
            "artefact_kind": "dataset",
            "logical_id": f"outlets_{row:06d}",
            "path": f"data/layer1/1A/outlets_{row:06d}/",
        }
        for row in range(count)
    ]
    names = [f"inputs/upstream/{rows[at % count]['path']}part-{at:06d}.parquet" for at in range(files)]
    listing = Listing(Path("/nowhere"), dict.fromkeys(sorted(names), 1), {}, {})
    receipt = {"files": [{"path": name} for name in names]}
    return ExportedTree(listing, IDENTITY, {}, receipt, tuple(rows))


def _seconds(work: Callable[[], object]) -> float:
    """Of this process, the least of three: what others do on the machine is not counted."""
    taken = []
    for _ in range(3):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)


@pytest.mark.parametrize(
    "ask",
    [
        lambda tree: tree.inputs(None),
        lambda tree: tree.lacking(),
        lambda tree: verification._judge_layout(Findings(verify_specs()), tree),
        lambda tree: tree.is_export,
    ],
    ids=["inputs", "lacking", "layout", "is export"],
)
def test_sealed_rows_are_matched_with_files_in_linear_time(ask: Callable[[ExportedTree], Any]) -> None:
    small, large = _sealed(1_000, 5_000), _sealed(8_000, 40_000)
    # Eight times as much: 64 times the work where every row is held against every file.
    assert _seconds(lambda: ask(large)) < 25 * max(_seconds(lambda: ask(small)), 0.002)


def test_a_gate_receipt_of_no_world_is_not_read(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree(exported, tmp_path / "tree")
    [genuine] = tree.root.glob("data/layer1/3B/s0_gate_receipt/*/*.json")
    large = tmp_path / "large.json"
    large.write_bytes(b'{"seed":' + b" " * 1_000_000 + b"7}")
    for world in range(60):
        folder = genuine.parent.parent / f"manifest_fingerprint={world:064x}"
        folder.mkdir()
        os.link(large, folder / genuine.name)
    read: list[int] = []

    def counted(path: Path) -> bytes:
        content = original(path)
        read.append(len(content))
        return content

    original = whose.read_bounded
    monkeypatch.setattr(whose, "read_bounded", counted)
    found = ExportedTree.of(tree.root)
    assert sum(read) < 1_000_000
    assert found.witnesses["s0_gate_receipt_3B"]["seed"] == 42
    assert failed(verify(tree.root, SHIPPED))[0] == "tree.layout"


def test_a_file_of_many_names_is_hashed_once(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree(exported, tmp_path / "tree")
    folder = tree.root / "logs/many"
    folder.mkdir()
    (folder / "0").write_bytes(b"once")
    for name in range(1, 100):
        os.link(folder / "0", folder / str(name))
    tree.list_again()
    hashed: list[Path] = []

    def counted(path: Path) -> str:
        hashed.append(path)
        return original(path)

    original = receipt.file_digest
    monkeypatch.setattr(receipt, "file_digest", counted)
    found = verify(tree.root, SHIPPED)
    assert failed(found) == ["tree.layout"]  # strange they are, and have the bytes that are listed
    assert len([path for path in hashed if path.parent == folder]) == 1


def test_a_place_of_the_root_that_many_rows_name_is_read_once(
    upstream: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = orjson.loads((upstream / "run_receipt.json").read_bytes())
    identity = RunIdentity(
        **{key: receipt[key] for key in ("seed", "parameter_hash", "manifest_fingerprint", "created_utc")},
        sealed_inputs_digest="c" * 64,
    )
    row = {"artefact_kind": "dataset", "path": "reference/", "sha256_hex": "d" * 64}
    rows = [{**row, "logical_id": f"outlet_catalogue_{at}"} for at in range(50)]
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return original(path)

    original = root_of.path_digest
    monkeypatch.setattr(root_of, "path_digest", counted)
    findings = Findings(verify_specs())
    root_of.audit_upstream(findings, rows, {}, upstream, identity, Reach.of(upstream, upstream.parents[1]))
    assert len(read) == 1
    [found] = [one for one in findings.of(verify_specs()) if one.status == "FAIL"]
    assert (found.check_id, found.affected_count) == ("S0.upstream_inputs", 50)


KEYS: dict[str, Any] = {
    **{f"k{at:06d}": at for at in range(100_000)},
    "\x1b" * 200_000: 0,
    "notes": "\u202e" * 200_000,
}
PRINTED = 100_000
"""Bytes: the checks of a verification are 40,000 as JSON; of a stranger's words there are some tens of thousands."""


def _put(path: Path, value: Any) -> None:
    path.unlink()
    path.write_bytes(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))


def _with_keys(path: Path) -> None:
    """More keys in a document, or in the first of its rows."""
    value = orjson.loads(path.read_bytes())
    _put(path, [{**value[0], **KEYS}, *value[1:]] if isinstance(value, list) else {**value, **KEYS})


@pytest.mark.parametrize(
    "document",
    ["run_receipt.json", "3B/validation/*/index.json", "3B/sealed_inputs/*/*.json", "3B/s0_*/*/*.json"],
)
def test_a_verification_prints_little_whatever_a_tree_says(
    document: str, exported: Path, settings: Settings, tmp_path: Path
) -> None:
    tree = Tree(exported, tmp_path / "tree")
    [path] = tree.root.glob(document if document == "run_receipt.json" else f"data/layer1/{document}")
    _with_keys(path)
    arguments = ["verify", str(tree.root), "--policies", str(settings.policies)]
    told = CliRunner().invoke(app, arguments)
    as_json = CliRunner().invoke(app, [*arguments, "--json"])
    assert told.exit_code == as_json.exit_code == 3
    assert len(told.output.encode()) < PRINTED / 5
    assert len(as_json.output.encode()) < PRINTED
    found = {one["check_id"] for one in orjson.loads(as_json.stdout)["checks"] if one["status"] == "FAIL"}
    assert any(check_id.endswith((".contract", "tree.receipt")) for check_id in found)


def test_a_tree_of_many_gate_receipts_is_refused_in_few_words(exported: Path, tmp_path: Path) -> None:
    tree = Tree(exported, tmp_path / "tree")
    [genuine] = tree.root.glob("data/layer1/3B/s0_gate_receipt/*/*.json")
    for world in range(2_000):
        folder = genuine.parent.parent / f"manifest_fingerprint={world:0200x}"
        folder.mkdir()
        os.link(genuine, folder / genuine.name)
    with pytest.raises(Seg3BError) as refused:
        open_run(tree.root)
    assert len(str(refused.value)) < PRINTED / 2
    assert re.search(r"and 1,9\d\d more", str(refused.value))


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("run_receipt.json", "INPUT_SCHEMA_MISMATCH"),
        ("data/layer1/3A/validation/*/index.json", "UPSTREAM_INDEX_INVALID"),
        ("edge_topology.yaml", "POLICY_SCHEMA_INVALID"),
    ],
    ids=["receipt", "index", "policy"],
)
def test_doors_to_an_upstream_root_print_little_whatever_it_says(
    what: str, code: str, upstream: Path, settings: Settings, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(upstream, tmp_path / "root", copy_function=os.link))
    policies = Path(shutil.copytree(settings.policies, tmp_path / "policies"))
    if what.endswith(".yaml"):
        with (policies / what).open("a") as file:
            file.writelines(f"{orjson.dumps(key).decode()}: 0\n" for key in KEYS)
    else:
        [path] = root.glob(what)
        _with_keys(path)
    options = ["--home", str(tmp_path / "home"), "--policies", str(policies), "--upstream", str(root)]
    commands = ["plan --seed 42", "plan --seed 42 --json", "run --seed 42 --json", "doctor --json"]
    for command in commands:
        done = CliRunner().invoke(app, [*command.split(), *options])
        assert done.exit_code in (2, 3)
        assert code in done.output
        assert len(done.output.encode()) < PRINTED
    assert not (tmp_path / "home/snapshots").exists()
