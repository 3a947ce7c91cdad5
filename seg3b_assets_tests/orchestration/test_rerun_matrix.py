"""The rerun matrix three ways: what a plan says, what Dagster says, and what a stale run of either really computes.

Every change makes seeds 42 and 7 stale. The command line brings 42 up to date, the job ``materialize_stale`` what
is left, which is 7; then all three call both fresh.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import orjson
import pytest
from typer.testing import CliRunner

from seg3b_assets.certification.targets import current_lineages
from seg3b_assets.cli import app
from seg3b_assets.contracts import contract
from seg3b_assets.definitions import defs
from seg3b_assets.orchestration import jobs, record
from seg3b_assets.orchestration.lineage import code_version, state_assets
from seg3b_assets.orchestration.run_log import BUDGET_TAG, LANE_TAG, OVER_TAG, WALL_TAG
from seg3b_assets.pipeline import keys
from seg3b_assets.policies import SEALED_POLICIES
from seg3b_assets.store import Store
from seg3b_assets.store.refs import Refs
from seg3b_assets.world import WorldRecipe, ensure_world
from seg3b_assets_tests.end_to_end.upstream_copies import UpstreamCopy
from seg3b_assets_tests.orchestration.coarse_runs import COARSE, TEST_CACHE, Installed, coarse_installation
from seg3b_assets_tests.orchestration.standins import StandIns, other_numpy, stand_ins
from seg3b_assets_tests.orchestration.watch import Watch

ALL = ("S0", "S1", "S2", "S3", "S4", "S5")
SEEDS = (42, 7)
Causes = dict[str, set[tuple[str, str]]]


@dataclass
class Matrix:
    """One installation whose states are stand-ins, seeds 42 and 7 run and fresh."""

    installed: Installed
    states: StandIns
    upstream: Path
    versions: dict[str, str] = field(default_factory=dict)

    def seg3b(self, *arguments: str) -> dict[str, Any]:
        done = CliRunner().invoke(app, [*arguments, "--json"])
        assert done.exit_code == 0, done.output
        printed: dict[str, Any] = orjson.loads(done.stdout)
        return printed

    def planned(self, seed: int) -> Causes:
        """What the command line plans: causes by state that is not fresh."""
        states = self.seg3b("plan", "--seed", str(seed))["seeds"][str(seed)]["states"]
        return {
            name: {(cause["kind"], cause["id"]) for cause in state["causes"]}
            for name, state in states.items()
            if state["status"] != "FRESH"
        }

    def seen(self, seed: int) -> Causes:
        """What Dagster says, of each state's principal dataset: parents that changed, or ``code``."""
        definitions = self.definitions()
        watch = Watch(definitions, self.installed.watch.instance)
        stale = watch.stale_assets([state.principal for state in state_assets()], seed)
        producer = {name: state.spec.name for state in state_assets() for name in state.datasets}
        found: Causes = {}
        for state in state_assets():
            for cause in stale.get(state.principal, ()):
                kind = "code" if "code version" in cause else "state" if cause in producer else "source"
                told = {"code": state.spec.name, "state": producer.get(cause, "")}.get(kind, cause)
                found.setdefault(state.spec.name, set()).add((kind, told))
        return found

    def closure(self, seed: int) -> set[str]:
        """States Dagster calls stale, and those that hang on one."""
        first = min(self.seen(seed), default="S9")
        read_by = {one.spec.name: one for one in state_assets()}
        return {name for name in ALL if name >= first and name in read_by}

    def definitions(self) -> dg.Definitions:
        """The code location as it would be loaded now, states' versions changed."""
        runtime = keys.runtime_versions()
        now = {
            dataset: code_version(self.versions.get(state.spec.name, state.spec.code_version), runtime)
            for state in state_assets()
            for dataset in state.datasets
        }
        return defs.map_resolved_asset_specs(
            func=lambda spec: (
                spec.replace_attributes(code_version=now[spec.key.to_user_string()])
                if spec.key.to_user_string() in now
                else spec
            )
        )

    def change_logic(self, state: str, version: str, salt: str = "") -> None:
        self.versions[state] = self.states.versions[state] = version
        self.states.salts[state] = salt
        self.states.make_current()

    def comment(self, policy_id: str) -> None:
        with (self.installed.policies / f"{policy_id}.yaml").open("a") as file:
            file.write("# a comment is part of the bytes\n")

    def look(self) -> None:
        for seed in SEEDS:
            self.installed.watch.look(seed)

    def run_stale(self) -> tuple[list[str], list[str]]:
        """States the command line computed for seed 42, then those the job computed, which are seed 7's."""
        self.states.ran.clear()
        printed = self.seg3b("run", "--stale", "--seed", "42")["seeds"]["42"]
        by_hand = [state for seed, state in self.states.ran if seed == 42]
        assert printed["executed"] == by_hand
        self.states.ran.clear()
        assert self.installed.watch.run("materialize_stale", seed=None).success
        assert {seed for seed, _ in self.states.ran} <= {7}
        return by_hand, [state for _, state in self.states.ran]

    def assert_fresh(self) -> None:
        for seed in SEEDS:
            assert self.planned(seed) == {}
            assert self.seen(seed) == {}


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    folder = tmp_path_factory.mktemp("matrix")
    with coarse_installation(folder) as installed, pytest.MonkeyPatch.context() as patch:
        recipe = WorldRecipe(
            resolution_deg=float(COARSE["SEG3B_WORLD_RESOLUTION"]),
            merchants=int(COARSE["SEG3B_WORLD_MERCHANTS"]),
        )
        upstream = folder / "upstream"
        for seed in SEEDS:
            UpstreamCopy.of(ensure_world(seed, recipe, TEST_CACHE), upstream / f"seed={seed}")
        patch.setenv("SEG3B_UPSTREAM", str(upstream))
        patch.setenv("DAGSTER_HOME", str(folder))
        instance = installed.watch.instance
        patch.setattr(dg.DagsterInstance, "get", lambda: nullcontext(instance))
        for told_by in (jobs, record):
            patch.setattr(told_by, "record_checks", lambda *_: None)  # stand-ins hold nothing to be checked
        installed.change("certification", r"^seeds: .*", "seeds: [42, 7]")
        installed.change(
            "certification", r"certification: \{seeds: \[.*?\]", "certification: {seeds: [42, 7]"
        )
        with stand_ins(patch) as states:
            made = Matrix(installed, states, upstream)
            made.seg3b("run", "--stale")
            yield made


def test_what_the_command_line_ran_is_fresh_in_dagster_without_a_run_there(matrix: Matrix) -> None:
    matrix.look()
    matrix.assert_fresh()
    assert matrix.installed.watch.missing(42) == set()
    assert matrix.installed.watch.stale(42) == {}
    assert list(matrix.installed.watch.instance.get_runs()) != []  # those that looked; none that ran a state


@pytest.mark.parametrize("policy_id", ["edge_topology", pytest.param("route_rng", marks=pytest.mark.e2e)])
def test_a_comment_in_a_sealed_policy_reruns_everything(matrix: Matrix, policy_id: str) -> None:
    matrix.comment(policy_id)
    matrix.look()
    for seed in SEEDS:
        planned, seen = matrix.planned(seed), matrix.seen(seed)
        assert tuple(planned) == tuple(seen) == ALL
        assert all(("policy", policy_id) in causes for causes in planned.values())
        assert all(("source", policy_id) in causes for causes in seen.values())
    assert matrix.run_stale() == (list(ALL), list(ALL))
    matrix.assert_fresh()


def test_every_sealed_policy_is_in_the_plan_and_before_every_dataset(matrix: Matrix) -> None:
    graph = defs.resolve_asset_graph()
    for state in state_assets():
        for dataset in state.datasets:
            assert {dg.AssetKey(name) for name in SEALED_POLICIES} <= graph.get(
                dg.AssetKey(dataset)
            ).parent_keys
    for policy_id in SEALED_POLICIES:
        path = matrix.installed.policies / f"{policy_id}.yaml"
        before = path.read_bytes()
        matrix.comment(policy_id)
        assert {
            name: ("policy", policy_id) in found for name, found in matrix.planned(42).items()
        } == dict.fromkeys(ALL, True)
        path.write_bytes(before)
    assert matrix.planned(42) == {}


@pytest.mark.parametrize(
    "state", ["S2", *(pytest.param(state, marks=pytest.mark.e2e) for state in ("S1", "S3", "S4", "S5"))]
)
def test_changed_logic_reruns_its_state_and_what_follows(matrix: Matrix, state: str) -> None:
    matrix.change_logic(state, "9.0.0", salt=f"{state} otherwise")
    follows = [name for name in ALL if name >= state]
    for seed in SEEDS:
        planned, seen = matrix.planned(seed), matrix.seen(seed)
        assert list(planned) == follows == sorted(matrix.closure(seed))
        assert planned[state] == {("code", state)} == seen[state]
        assert all({kind for kind, _ in planned[name]} == {"state"} for name in follows[1:])
    assert matrix.run_stale() == (follows, follows)
    matrix.assert_fresh()


def test_an_identical_output_stops_the_wave(matrix: Matrix) -> None:
    matrix.change_logic("S2", "9.1.0", salt=matrix.states.salts.get("S2", ""))
    assert list(matrix.planned(7)) == ["S2", "S3", "S4", "S5"]
    assert matrix.seen(7) == {"S2": {("code", "S2")}}
    assert matrix.run_stale() == (["S2"], ["S2"])
    matrix.assert_fresh()


@pytest.mark.e2e
def test_a_changed_package_is_a_change_of_code(matrix: Matrix) -> None:
    with pytest.MonkeyPatch.context() as patch:
        other_numpy(patch)
        for seed in SEEDS:
            planned, seen = matrix.planned(seed), matrix.seen(seed)
            assert tuple(planned) == tuple(seen) == ALL
            assert planned["S0"] == {("code", "runtime:numpy")}
            assert seen["S0"] == {("code", "S0")}
    matrix.assert_fresh()


@pytest.mark.e2e
def test_upstream_that_changed_for_one_seed_reruns_that_seed(matrix: Matrix) -> None:
    UpstreamCopy(matrix.upstream / "seed=7").coordinates("[]\n")
    matrix.look()
    planned, seen = matrix.planned(7), matrix.seen(7)
    assert tuple(planned) == ALL
    assert matrix.closure(7) == set(ALL)
    assert all(("upstream", "virtual_settlement_coords") in causes for causes in planned.values())
    assert ("source", "virtual_settlement_coords") in seen["S0"] & seen["S1"]
    assert matrix.planned(42) == matrix.seen(42) == {}
    assert matrix.run_stale() == ([], list(ALL))
    matrix.assert_fresh()


@pytest.mark.e2e
def test_a_rollback_on_the_command_line_is_stale_in_dagster_as_in_the_plan(matrix: Matrix) -> None:
    matrix.run_stale()
    home = matrix.installed.home
    Refs(home).move("last_good", current_lineages(Store(home, contract)))
    matrix.comment("tz_nudge")
    matrix.run_stale()
    matrix.assert_fresh()
    matrix.seg3b("rollback", "--seed", "42")
    planned, seen = matrix.planned(42), matrix.seen(42)
    assert tuple(planned) == tuple(seen) == ALL
    assert all(("policy", "tz_nudge") in causes for causes in planned.values())
    assert all(("source", "tz_nudge") in causes for causes in seen.values())


def test_nothing_stale_runs_nothing_and_tells_nothing(matrix: Matrix) -> None:
    matrix.run_stale()
    instance = matrix.installed.watch.instance
    assert matrix.run_stale() == ([], [])
    run = instance.get_runs(limit=1)[0]
    records = instance.get_records_for_run(
        run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
    ).records
    assert records == []


@pytest.mark.parametrize(("minutes", "over"), [("0.00001", True), ("15", False)])
def test_a_lane_over_its_budget_is_a_warning_on_its_run(matrix: Matrix, minutes: str, over: bool) -> None:
    matrix.installed.change("certification", r"(candidate: .*budget_minutes:) [\d.]+", rf"\1 {minutes}")
    instance = matrix.installed.watch.instance
    run_id = matrix.installed.watch.run("candidate", seed=None).run_id
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert (run.tags[LANE_TAG], run.tags[OVER_TAG]) == ("candidate", str(over).lower())
    assert float(run.tags[BUDGET_TAG]) == float(minutes)
    assert float(run.tags[WALL_TAG]) > 0
    warned = [entry.user_message for entry in instance.all_logs(run_id) if entry.level == logging.WARNING]
    assert [("budget" in told) for told in warned] == [True] * over
