"""``seg3b verify`` over an exported tree: it passes as exported, and one change is found by its own check."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from typer.testing import CliRunner

from seg3b_assets.audit.verification import verify
from seg3b_assets.cli import app
from seg3b_assets.laws.audit_version import AUDIT_VERSION
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.settings import REPOSITORY, Settings
from seg3b_assets.states.s5_bundle import STATE
from seg3b_assets_tests.audit.spoilt_tree import UPSTREAM_ALONE, Tree, failed, skipped

SHIPPED = REPOSITORY / "policies"
Change = Callable[["Tree"], None]


@pytest.fixture
def tree(exported: Path, tmp_path: Path) -> Tree:
    return Tree(exported, tmp_path / "tree")


def test_the_audit_and_s5_have_one_version() -> None:
    assert STATE.code_version == AUDIT_VERSION


def test_an_exported_run_passes_and_says_what_it_could_not_hash(exported: Path) -> None:
    found = verify(exported, SHIPPED)
    assert failed(found) == []
    assert skipped(found).keys() == {"S0.sealed_at_hand", *UPSTREAM_ALONE}
    assert "tile_bounds" in skipped(found)["S0.sealed_at_hand"]
    assert found.holds() and not found.holds(strict=True)


def test_with_upstream_nothing_is_skipped(exported: Path, upstream: Path) -> None:
    found = verify(exported, SHIPPED, upstream)
    assert (failed(found), skipped(found)) == ([], {})
    assert found.holds(strict=True)


def test_without_inputs_upstream_and_policies_supply_them(
    tree: Tree, upstream: Path, settings: Settings
) -> None:
    shutil.rmtree(tree.root / "inputs")
    (tree.root / "run_receipt.json").unlink()
    alone = verify(tree.root, SHIPPED)
    assert failed(alone) == []
    assert "alias_layout" not in skipped(alone)["S0.sealed_digests"]
    assert skipped(alone)["tree.policies"].startswith("neither the tree nor --policies")
    supplied = verify(tree.root, settings.policies, upstream)
    assert failed(supplied) == []
    lacking = {f"tree.{name}" for name in ("receipt", "files", "datasets", "states")}
    lacking |= {"tree.tile_excerpt", "tree.tile_excerpt_sealed", "tree.tile_excerpt_used"}
    assert skipped(supplied).keys() == lacking


LOST = {
    "the receipt": ("run_receipt.json", "tree.receipt"),
    "a policy": ("inputs/policies/edge_topology.yaml", "tree.files"),
    "the polygons of countries": ("world_countries.parquet", "tree.files"),
    "the tiles in use": ("tile_excerpt.parquet", "tree.files"),
    "a gate's flag": ("inputs/upstream/data/layer1/2A/validation", "tree.files"),
}


@pytest.mark.parametrize(
    ("lost", "with_receipt"),
    [
        *(pytest.param(lost, True, id=f"{lost}, relisted") for lost in LOST),
        pytest.param("a policy", False, id="a policy, no receipt"),
        *(
            pytest.param(lost, False, id=f"{lost}, no receipt", marks=pytest.mark.e2e)
            for lost in LOST
            if lost != "a policy"
        ),
    ],
)
def test_evidence_that_every_export_carries_cannot_be_taken_away(
    tree: Tree, lost: str, with_receipt: bool
) -> None:
    """Not by a forger who lists again what is left, nor by one who takes the list away, too."""
    part, check_id = LOST[lost]
    names = [one.relative_to(tree.root).as_posix() for one in tree.root.rglob("*") if one.is_file()]
    path = tree.root / min((name for name in names if part in name), key=len)
    path.unlink()
    if path.name != "run_receipt.json":
        tree.list_again() if with_receipt else (tree.root / "run_receipt.json").unlink()
    found = verify(tree.root, SHIPPED)
    assert not found.holds()
    assert check_id in failed(found)
    (told,) = [one for one in found.report.failed if one.check_id == check_id]
    assert told.example is not None
    assert told.example["reason"] == "every export carries it, and this one lacks it"


def test_what_is_left_out_by_design_is_listed_with_its_reason_and_counted(exported: Path) -> None:
    done = CliRunner().invoke(app, ["verify", str(exported), "--json"])
    printed = orjson.loads(done.stdout)
    left_out = [one for one in printed["checks"] if one["status"] == "SKIPPED"]
    assert printed["skipped"] == len(left_out) > 0
    assert all(one["reason"] for one in left_out)


def forged_member(ending: str, change: Callable[[Any], Any]) -> Change:
    def forge(tree: Tree) -> None:
        tree.put(ending, lambda data: canonical_json(change(orjson.loads(data))))
        tree.seal_again()
        tree.list_again()

    return forge


def first_row(key: str, **fields: Any) -> Callable[[Any], Any]:
    def change(value: Any) -> Any:
        value[key][0] |= fields
        return value

    return change


def without_first(key: str) -> Callable[[Any], Any]:
    return lambda value: {**value, key: value[key][1:]}


def counted_more(value: Any) -> Any:
    value["counts"]["edge_total"] += 1
    return value


def other_lane(value: Any) -> Any:
    value["logs"]["rng_event_edge_jitter"]["lane_bytes"] += 1
    return value


def another_digest(name: str) -> Callable[[Any], Any]:
    return lambda value: {**value, "digests": {**value["digests"], name: "0" * 64}}


def more_rows(value: Any) -> Any:
    value["contract"]["rows_enabled"] += 1
    return value


def last_report_edited(tree: Tree) -> None:
    def edit(data: bytes) -> bytes:
        report = orjson.loads(data)
        report["outputs"][0]["sha256_hex"] = "0" * 64
        return canonical_json(report)

    [report] = (tree.root / "reports").glob("layer1/3B/state=S5/*/*/run_report.json")
    tree.put(report.relative_to(tree.root).as_posix(), edit)
    tree.list_again()


def link_away(tree: Tree) -> None:
    path = next(tree.root.rglob("*.bin"))
    path.unlink()
    path.symlink_to("/etc/hostname")


def extra_file(tree: Tree) -> None:
    (tree.root / "data" / "more.txt").write_text("more")
    tree.list_again()


def extra_member(tree: Tree) -> None:
    (tree.path("_passed.flag").parent / "more.json").write_text("{}")
    tree.list_again()


def excerpt_cell(**fields: Any) -> Change:
    def change(tree: Tree) -> None:
        path = tree.root / "inputs/tile_excerpt.parquet"
        frame = pl.read_parquet(path)
        path.unlink()
        frame.with_columns(
            **{
                name: pl.when(pl.int_range(pl.len()) == 3).then(by(name)).otherwise(name)
                for name, by in fields.items()
            }
        ).write_parquet(path)
        tree.list_again()

    return change


def idle_tile(tree: Tree) -> None:
    path = tree.root / "inputs/tile_excerpt.parquet"
    frame = pl.read_parquet(path)
    taken = pl.col("weight_before") + pl.col("weight_fp")
    whole = (pl.col("max_lon_deg") - pl.col("min_lon_deg") == 1) & (
        pl.col("max_lat_deg") - pl.col("min_lat_deg") == 1
    )
    gap = frame.filter(
        whole
        & (pl.col("country_iso") == pl.col("country_iso").shift(-1))
        & (taken < pl.col("weight_before").shift(-1))
        & (pl.col("tile_id") + 1 < pl.col("tile_id").shift(-1))
    )[0]
    idle = gap.with_columns(
        tile_id=pl.col("tile_id") + 1,
        weight_before=taken,
        weight_fp=pl.lit(1, pl.UInt64),
        min_lon_deg=pl.col("max_lon_deg"),
        max_lon_deg=pl.col("max_lon_deg") + 0.5,
    )
    path.unlink()
    pl.concat([frame, idle]).sort("country_iso", "tile_id").write_parquet(path)
    tree.list_again()


def dropped(ending: str) -> Change:
    def drop(tree: Tree) -> None:
        tree.path(ending).unlink()
        tree.list_again()

    return drop


def policy_edited(tree: Tree) -> None:
    tree.put("inputs/policies/tz_nudge.yaml", lambda data: data.replace(b"0.002", b"0.003"))
    tree.list_again()


def policy_broken(tree: Tree) -> None:
    tree.put("inputs/policies/tz_nudge.yaml", lambda _: b"- 1\n")
    tree.list_again()


def carried_edited(tree: Tree) -> None:
    bundle = tree.path("_passed.flag").parent
    path = bundle / "s4_run_summary_3B.json"
    value = orjson.loads(path.read_bytes())
    path.unlink()
    path.write_bytes(canonical_json({**value, "routing_policy_version": "9.9.9"}))
    tree.seal_again()
    tree.list_again()


FAULTS: dict[str, tuple[Change, str]] = {
    "a member's status turned": (
        forged_member("s5_structural_summary_3B.json", first_row("checks", status="FAIL", affected_count=1)),
        "S5.structural_summary",
    ),
    "a check left out": (
        forged_member("s5_structural_summary_3B.json", without_first("checks")),
        "S5.structural_summary",
    ),
    "a count raised": (forged_member("s5_structural_summary_3B.json", counted_more), "S5.structural_summary"),
    "a lane's size": (forged_member("s5_audit_3B.json", other_lane), "S5.audit"),
    "a stream left out": (
        forged_member("s5_rng_summary_3B.json", without_first("streams")),
        "S5.rng_summary",
    ),
    "a stream without a log said to be drawn otherwise": (
        forged_member("s5_rng_summary_3B.json", first_row("streams", notes="believe it")),
        "S5.rng_summary",
    ),
    "a digest of another policy": (
        forged_member("s5_digest_summary_3B.json", another_digest("route_rng_policy_digest")),
        "S5.digest_summary",
    ),
    "a digest of another blob": (
        forged_member("s5_digest_summary_3B.json", another_digest("edge_alias_blob_digest")),
        "S5.digest_summary",
    ),
    "what a router is bound by": (
        forged_member("s5_manifest_3B.json", another_digest("edge_catalogue_digest_global")),
        "S5.manifest",
    ),
    "a digest row dropped": (forged_member("s5_audit_3B.json", without_first("digests")), "S5.audit"),
    "a digest in both columns": (
        forged_member("s5_audit_3B.json", first_row("digests", published="0" * 64, recomputed="0" * 64)),
        "S5.audit",
    ),
    "a figure of the contract": (forged_member("s5_audit_3B.json", more_rows), "S5.audit"),
    "S5's report of another bundle": (last_report_edited, "S5.run_report"),
    "a measured value": (
        forged_member("s5_realism_results_3B.json", first_row("results", measured=0.5)),
        "S5.realism_results",
    ),
    "a manifest row dropped": (
        forged_member("s5_manifest_3B.json", without_first("evidence")),
        "S5.manifest",
    ),
    "a manifest row forged": (
        forged_member("s5_manifest_3B.json", first_row("evidence", sha256_hex="0" * 64)),
        "S5.published_digests",
    ),
    "a carried member": (carried_edited, "S5.carried"),
    "the index alone": (
        lambda tree: tree.document("/index.json", s5_manifest_digest="0" * 64),
        "S5.bundle_index",
    ),
    "the flag alone": (
        lambda tree: tree.put("_passed.flag", lambda data: data[:13] + b"0" * 64 + b"\n"),
        "S5.flag",
    ),
    "a flag without newline": (lambda tree: tree.put("_passed.flag", lambda data: data[:-1]), "S5.flag"),
    "no flag": (dropped("_passed.flag"), "S5.flag"),
    "a member too many": (extra_member, "S5.bundle_members"),
    "a link out of the tree": (link_away, "tree.layout"),
    "a file of nobody's": (extra_file, "tree.layout"),
    "a file missing": (lambda tree: tree.path("inputs/tile_excerpt.parquet").unlink(), "tree.files"),
    "a dataset left out": (dropped("edge_universe_hash_3B.json"), "tree.datasets"),
    "the receipt's seed": (lambda tree: tree.document("run_receipt.json", seed=43), "tree.identity"),
    "the receipt's lineage": (
        lambda tree: tree.document("run_receipt.json", lineage_id="0" * 64),
        "tree.receipt",
    ),
    "a receipt of one key more": (
        lambda tree: tree.document("run_receipt.json", host="x"),
        "tree.receipt",
    ),
    "a policy edited": (policy_edited, "S0.sealed_digests"),
    "a policy broken": (policy_broken, "S0.sealed_digests"),
    "a tile's weight": (excerpt_cell(weight_fp=lambda name: pl.col(name) * 0), "tree.tile_excerpt"),
    "a tile's bounds": (excerpt_cell(max_lat_deg=lambda name: pl.col(name) + 0.25), "tree.tile_excerpt"),
    "a tile cut smaller": (excerpt_cell(max_lat_deg=lambda name: pl.col(name) - 0.01), "S2.edge_point"),
    "a tile nobody uses": (idle_tile, "tree.tile_excerpt_used"),
    "an upstream table": (
        lambda tree: (
            tree.put("inputs/upstream/run_receipt.json", lambda data: data + b" "),
            tree.list_again(),
        )[1],
        "S0.sealed_digests",
    ),
}


def one_of_each_check(faults: dict[str, tuple[Change, str]]) -> Iterator[Any]:
    """Names of faults: the first that a check finds, and by `make e2e` the others of the same check."""
    seen: set[str] = set()
    for name, (_, check_id) in faults.items():
        yield pytest.param(name, marks=pytest.mark.e2e) if check_id in seen else name
        seen.add(check_id)


@pytest.mark.parametrize("name", [*one_of_each_check(FAULTS)])
def test_a_change_is_found_by_the_check_of_its_law(name: str, tree: Tree) -> None:
    change, check_id = FAULTS[name]
    change(tree)
    found = verify(tree.root, SHIPPED)
    assert failed(found)[:1] == [check_id], [
        (one.check_id, one.affected_count, one.example) for one in found.report.failed
    ]
    [result] = [one for one in found.report.checks if one.check_id == check_id]
    assert result.affected_count >= 1 and result.example


def test_a_folder_of_something_else_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("hello")
    found = verify(tmp_path, SHIPPED)
    assert found.identity is None and failed(found) == ["tree.identity"]


def test_the_command_prints_one_object_and_its_exit_code_says_what_it_found(
    exported: Path, tree: Tree
) -> None:
    passed = CliRunner().invoke(app, ["verify", str(exported), "--json"])
    printed = orjson.loads(passed.stdout)
    assert passed.exit_code == 0 and printed["status"] == "PASS" and printed["failed"] == 0
    assert {check["status"] for check in printed["checks"]} == {"PASS", "SKIPPED"}
    assert CliRunner().invoke(app, ["verify", str(exported), "--strict"]).exit_code == 3
    tree.put("_passed.flag", lambda data: data.replace(b"= ", b"=  "))
    refused = CliRunner().invoke(app, ["verify", str(tree.root), "--json"])
    first = orjson.loads(refused.stdout)["checks"][0]
    assert refused.exit_code == 3 and first["check_id"] == "S5.flag" and first["law"] == "§7 flag"
    spoken = CliRunner().invoke(app, ["verify", str(tree.root)]).stdout
    assert "FAIL S5.flag  1 at fault" in spoken and "likely cause" in spoken


def test_whatever_breaks_an_auditor_of_the_bundle_is_a_finding(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise ZeroDivisionError("no such member")

    monkeypatch.setattr("seg3b_assets.audit.verification.audit_bundle", break_down)
    found = verify(exported, SHIPPED)
    [result] = found.report.failed
    assert result.check_id == "S5.examination" and result.example is not None
    assert result.example["part"] == "bundle"


def test_a_verdict_says_what_it_is_anchored_in(exported: Path, upstream: Path) -> None:
    alone = verify(exported, SHIPPED)
    assert alone.flag is not None
    assert (alone.anchors, alone.holds()) == ((), True)
    expected = verify(exported, SHIPPED, expect=alone.flag)
    assert (expected.anchors, expected.holds()) == (("flag",), True)
    both = verify(exported, SHIPPED, upstream, expect=alone.flag)
    assert (both.anchors, both.holds(strict=True)) == (("upstream", "flag"), True)
    other = verify(exported, SHIPPED, upstream, expect="0" * 64)
    assert (other.anchors, failed(other)) == (("upstream",), ["tree.flag"])


def test_a_tree_without_a_flag_is_not_the_one_expected(tree: Tree) -> None:
    next(tree.root.rglob("layer1/3B/**/_passed.flag")).unlink()
    found = verify(tree.root, SHIPPED, expect="0" * 64)
    assert found.flag is None
    assert "tree.flag" in failed(found)


def test_the_command_prints_flag_and_anchor(exported: Path) -> None:
    flag = verify(exported, SHIPPED).flag
    alone = CliRunner().invoke(app, ["verify", str(exported)])
    assert alone.stdout.startswith(f"PASS, not anchored  {exported}")
    assert f"flag {flag}  nothing outside the tree vouches for it" in alone.stdout
    told = CliRunner().invoke(app, ["verify", str(exported), "--expect", f"sha256_hex = {flag}", "--json"])
    printed = orjson.loads(told.stdout)
    assert (told.exit_code, printed["flag"], printed["anchored_in"]) == (0, flag, ["flag"])
    refused = CliRunner().invoke(app, ["verify", str(exported), "--expect", "0" * 64])
    assert (refused.exit_code, refused.stdout[:4]) == (3, "FAIL")
    nonsense = CliRunner().invoke(app, ["verify", str(exported), "--expect", "flag"])
    assert nonsense.exit_code == 2


def test_a_file_written_to_meanwhile_is_a_fault_even_if_what_was_read_was_sound(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = next(tree.root.rglob("*.bin"))
    from seg3b_assets.audit import verification  # noqa: PLC0415

    def late(*arguments: Any) -> None:
        data = blob.read_bytes()
        blob.unlink()  # other trees are linked to the same bytes
        blob.write_bytes(data[::-1])
        judged(*arguments)

    judged = verification._judge_flag

    def linked(*arguments: Any) -> None:
        for number, path in enumerate(one for one in tree.root.rglob("*") if one.is_file()):
            os.link(path, tree.root.parent / f"elsewhere-{number}")  # touches the file, and not its bytes
        judged(*arguments)

    monkeypatch.setattr(verification, "_judge_flag", linked)
    assert failed(verify(tree.root, SHIPPED)) == []
    monkeypatch.setattr(verification, "_judge_flag", late)
    found = verify(tree.root, SHIPPED)
    assert failed(found) == ["tree.layout"]
    [layout] = [result for result in found.report.failed if result.check_id == "tree.layout"]
    assert layout.example == {
        "path": blob.relative_to(tree.root).as_posix(),
        "reason": "it was changed while the tree was verified",
    }
