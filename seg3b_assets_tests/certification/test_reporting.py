"""Reports of kept certifications: where they go, when they are written again, what they compare with."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from seg3b_assets.certification.archive import Archive, Standing, certification_named
from seg3b_assets.certification.pinned import seed_verdicts
from seg3b_assets.certification.references import Posture, baseline, last_good, last_good_before
from seg3b_assets.certification.retention import prune
from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.report.written import FORMS, Report, copy_to, report_of, write_report
from seg3b_assets.settings import Settings
from seg3b_assets.store import Refs, Store
from seg3b_assets_tests.certification.conftest import SEEDS, Certified
from seg3b_assets_tests.end_to_end.installation import Installation, copy_home


@pytest.fixture(scope="module")
def reported(certified: Certified, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Report]:
    """The certified home's copy, with its report."""
    home = tmp_path_factory.mktemp("reported") / "home"
    copy_home(certified.settings.home, home)
    shutil.copytree(certified.run.folder.parent, home / "certifications")
    settings = replace(certified.settings, home=home)
    Archive(home).note(certified.run.certification_id, Standing("policy", 1.25))
    return settings, report_of(settings, certified.run)


def test_the_three_forms_lie_together_and_agree(
    reported: tuple[Settings, Report], certified: Certified
) -> None:
    settings, report = reported
    folder = settings.home / "reports" / certified.run.certification_id
    assert {path.name for path in folder.iterdir()} == {
        "figures",
        "report.csv",
        "report.html",
        "report.json",
        "report.md",
        "standing.json",
    }
    document = orjson.loads(report.json.read_bytes())
    drawn = {path.stem for path in (folder / "figures").iterdir()}
    assert drawn <= {plot["name"] for plot in document["plots"]} and len(drawn) > 10
    assert contract("certification_report_3B").check_document(document) == []
    assert canonical_json(document) == report.json.read_bytes()
    assert document["verdict"] == certified.run.verdict
    assert document["runtimes"]["scoring_s"] == 1.25
    assert document["runtimes"]["computing_s"] > 0
    assert list(document["seeds"]) == sorted(str(seed) for seed in SEEDS)
    for path in (report.html, report.markdown):
        assert certified.run.verdict in path.read_text().replace("\\", "")


def test_it_is_left_alone_until_something_it_says_changes(
    reported: tuple[Settings, Report], certified: Certified
) -> None:
    settings, report = reported
    before = report.html.read_bytes()
    found = replace(certified.run, reused=True)
    again = report_of(settings, found)
    assert (again.reused, again.html.read_bytes()) == (True, before)
    report.html.unlink()
    anew = report_of(settings, found)
    assert (anew.reused, anew.html.read_bytes()) == (False, before)


def test_the_baseline_of_record_is_what_it_is_held_against(reported: tuple[Settings, Report]) -> None:
    baseline, last_good = reported[1].document["comparisons"]
    assert "figures of record" in baseline["source"]
    assert set(baseline["seeds"].values()) == {"FAIL_REALISM"}
    moved = {row["metric"]: row for row in baseline["metrics"]}
    assert moved["edges_per_merchant_cv"]["there"] == 0
    assert moved["top1_share_p50"]["there"] == 0.002
    keys = {(change["policy"], change["key"].partition(".")[0]) for change in baseline["policies"]}
    assert ("edge_topology", "edge_weights") in keys
    assert (last_good["metrics"], last_good["policies"]) == ([], None)


def test_the_last_good_run_is_the_one_before(again: Settings, certified: Certified) -> None:
    """Cheap: what the report is held against, without drawing it."""
    lineages = {seed: lineage.lineage_id for seed, lineage in certified.run.lineages.items()}
    digests = certified.run.metrics[42].provenance.policies
    posture = Posture(again.home, lineages, digests, again.policies)
    refs = Refs(again.home)
    refs.move("last_good", {}, merge=False)
    none = "this home had none before this certification."
    assert last_good(posture, last_good_before(again.home, lineages, {})).source == none
    refs.move("last_good", lineages)
    assert last_good_before(again.home, lineages, {}) == {}
    assert last_good(posture, {}).source == none
    other = replace(posture, lineages={42: "1" * 64})
    before = last_good_before(again.home, other.lineages, {})
    found = last_good(other, before)
    assert (before, found.verdicts) == (lineages, dict.fromkeys(sorted(SEEDS), "PASS_BPLUS"))
    assert found.metrics[42]["virtual_rate"] == certified.run.metrics[42].value("virtual_rate")
    assert found.policy_changes == []
    refs.move("last_good", other.lineages, merge=False)
    assert last_good_before(again.home, other.lineages, before) == lineages
    assert last_good(other, before).metrics == found.metrics
    assert "no longer kept" in last_good(posture, {}).source


def test_a_baseline_by_ref_is_preferred_to_that_of_record(again: Settings, certified: Certified) -> None:
    lineages = {seed: lineage.lineage_id for seed, lineage in certified.run.lineages.items()}
    posture = Posture(again.home, lineages, certified.run.metrics[42].provenance.policies, again.policies)
    assert "figures of record" in baseline(posture).source
    Refs(again.home).move("baseline", lineages)
    assert "the ref baseline" in baseline(posture).source
    assert baseline(posture).policy_changes == []


def test_certifications_are_named_by_the_start_of_their_id(again: Settings, certified: Certified) -> None:
    whole = certified.run.certification_id
    assert certification_named(again.home, whole[:9].upper()).certification_id == whole
    assert certification_named(again.home, "latest").certification_id == whole
    for home, name in ((again.home, "zz"), (again.home / "none", "latest")):
        with pytest.raises(Seg3BError) as raised:
            certification_named(home, name)
        assert raised.value.code == "E3B_S5_INPUT_OPEN_FAILED"


def test_a_copy_takes_the_form_of_its_name(reported: tuple[Settings, Report], tmp_path: Path) -> None:
    report = reported[1]
    for suffix in FORMS:
        source = report.html.with_suffix(suffix)
        assert copy_to(report, tmp_path / f"copy{suffix}").read_bytes() == source.read_bytes() != b""


def test_an_older_certification_without_plots_says_so(again: Settings, certified: Certified) -> None:
    kept = certification_named(again.home, "latest")
    (kept.folder / "3B_validation_plots_seed_42.json").unlink()
    with pytest.raises(Seg3BError) as raised:
        write_report(again, kept)
    assert raised.value.place.endswith("3B_validation_plots_seed_42.json")


def test_reports_go_with_their_certifications(again: Settings, certified: Certified) -> None:
    folder = again.home / "reports" / ("ab" * 32)
    folder.mkdir(parents=True)
    (folder / "report.html").write_bytes(b"old")
    done = prune(Store(again.home, contract), ("heads",))
    assert [(one.kind, one.place) for one in done.removed] == [("report", f"reports/{'ab' * 32}")]


def test_the_commands_print_where_it_is(
    installation: Installation, certified: Certified, tmp_path: Path
) -> None:
    done = installation.seg3b("certify", "--seeds", "42,31415", "--json")
    path = Path(done.json["report_path"])
    assert path.is_relative_to(installation.home) and path.is_file()
    out = tmp_path / "here" / "r.html"
    again = installation.seg3b(
        "report", "--certification", certified.run.certification_id[:12], "--out", str(out), "--json"
    )
    assert (again.exit_code, again.json["reused"]) == (0, True)
    assert (again.json["report_path"], again.json["out_path"]) == (str(path), str(out))
    assert out.read_bytes() == path.read_bytes()
    assert installation.seg3b("report", "--out", "x.pdf").exit_code == 2
    missing = installation.seg3b("report", "--certification", "ffff", "--json")
    assert (missing.exit_code, missing.error["code"]) == (3, "E3B_S5_INPUT_OPEN_FAILED")


@pytest.mark.parametrize("content", [b"", b"{", b"5", b"[]", b'{"hard_gates": 5}', b"\xff"])
@pytest.mark.parametrize(
    "name",
    [
        "3B_validation_metrics_seed_42.json",
        "3B_validation_cross_seed_summary.json",
        "3B_validation_reference.json",
    ],
)
def test_a_document_that_was_altered_is_named_and_counts_for_nothing_elsewhere(
    again: Settings, certified: Certified, name: str, content: bytes
) -> None:
    kept = certification_named(again.home, "latest")
    (kept.folder / name).unlink()
    (kept.folder / name).write_bytes(content)
    with pytest.raises(Seg3BError) as raised:
        write_report(again, kept)
    assert (raised.value.code, raised.value.place) == ("E3B_S5_INPUT_OPEN_FAILED", str(kept.folder / name))
    lineages = {seed: lineage.lineage_id for seed, lineage in certified.run.lineages.items()}
    Refs(again.home).move("baseline", lineages)
    digests = certified.run.metrics[42].provenance.policies
    told = baseline(Posture(again.home, lineages, digests, again.policies))
    altered = {42} if "metrics" in name else set()
    assert set(told.verdicts) == set(lineages) - altered
    assert set(seed_verdicts([kept])) == {one for seed, one in lineages.items() if seed not in altered}


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"scope": 5}', b'{"last_good_before": [1]}', b'{"scoring_s": "x"}']
)
def test_a_standing_that_was_altered_says_nothing(
    again: Settings, certified: Certified, content: bytes
) -> None:
    archive, one = Archive(again.home), certified.run.certification_id
    archive.note(one, Standing("policy", 1.25, {42: "ab" * 32}))
    assert archive.standing(one) == Standing("policy", 1.25, {42: "ab" * 32})
    (again.home / "reports" / one / "standing.json").write_bytes(content)
    assert archive.standing(one) == Standing()
    (again.home / "reports" / one / "scoring.json").write_bytes(b'{"scoring_s": 2.5}')
    assert archive.standing(one) == Standing(scoring_s=2.5)
