"""Importing anything of ours leaves Dagster as it is; what is changed is changed by one function, where it is there."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
from dagster._grpc.server import DagsterApiServer

from seg3b_assets.orchestration import patches

# What a module of Dagster holds: its names, and those of its classes, each by what stands there.
COMPARE = """
import importlib, json, pkgutil, sys

LATE = ("__new__", "__replace_new__")  # Dagster's own records write theirs when the first is made

def held():
    found = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("dagster", "dagster_webserver", "dagster_graphql", "dagster_shared"):
            for key, value in list(vars(module).items()):
                found[f"{name}:{key}"] = id(value)
                if isinstance(value, type) and value.__module__ == name:
                    found |= {f"{name}:{key}.{one}": id(at) for one, at in list(vars(value).items()) if one not in LATE}
    return found

import seg3b_assets
ours = [
    found.name
    for found in pkgutil.walk_packages(seg3b_assets.__path__, "seg3b_assets.")
    if not found.name.endswith("__main__")
]
if sys.argv[1] == "list":
    for name in ours:
        importlib.import_module(name)
    theirs = [name for name in sys.modules if name.partition(".")[0].startswith("dagster")]  # in the order of loading
    print(json.dumps([len(ours), theirs]))
else:
    for name in json.loads(sys.argv[2]):
        importlib.import_module(name)
    before = held()
    for name in ours:
        importlib.import_module(name)
    after = held()
    print(json.dumps([len(before), sorted(key for key in before if after.get(key) != before[key])]))
"""


def told(*arguments: str) -> list[object]:
    done = subprocess.run([sys.executable, "-c", COMPARE, *arguments], check=True, capture_output=True)
    found: list[object] = json.loads(done.stdout)
    return found


@pytest.mark.e2e
def test_importing_every_module_of_ours_leaves_dagsters_as_they_were() -> None:
    count, theirs = told("list")
    assert isinstance(count, int) and count > 200
    held, changed = told("compare", json.dumps(theirs))
    assert isinstance(held, int) and held > 10_000
    assert changed == []


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process as the server of a code location, nothing really started."""
    monkeypatch.setattr(sys, "argv", ["dagster", "api", "grpc"])
    monkeypatch.setattr(patches.multiprocessing, "parent_process", lambda: None)
    monkeypatch.setattr(patches.forkserver, "ensure_running", lambda: None)
    missing = object()
    before = vars(DagsterApiServer).get("_mp_ctx", missing)
    yield
    if before is missing and "_mp_ctx" in vars(DagsterApiServer):
        del DagsterApiServer._mp_ctx


@pytest.mark.usefixtures("server")
def test_a_server_has_its_workers_forked_and_one_setting_leaves_it_alone() -> None:
    assert patches.patch_dagster({patches.SETTING: "off"}) == []
    assert "_mp_ctx" not in vars(DagsterApiServer)
    assert patches.patch_dagster({}) == ["run workers are forked"]
    assert isinstance(vars(DagsterApiServer)["_mp_ctx"], property)


@pytest.mark.usefixtures("server")
def test_a_dagster_without_the_attribute_is_left_alone_and_that_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def other(self: DagsterApiServer) -> None:
        """As a later release may have it."""

    monkeypatch.setattr(DagsterApiServer, "__init__", other)
    logging.getLogger("seg3b").propagate = True
    with caplog.at_level("WARNING"):
        assert patches.patch_dagster({}) == []
    assert "DagsterApiServer._mp_ctx" in caplog.text
    assert "_mp_ctx" not in vars(DagsterApiServer)


def test_another_process_is_left_alone() -> None:
    assert patches.patch_dagster({}) == []


def test_definitions_load_and_run_without_what_is_changed() -> None:
    code = (
        "import dagster._grpc.server as server; del server.DagsterApiServer; "
        "from seg3b_assets.definitions import defs; "
        "print(len(list(defs.resolve_all_asset_specs())))"
    )
    command = [sys.executable, "-c", code, "api", "grpc"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) > 40
