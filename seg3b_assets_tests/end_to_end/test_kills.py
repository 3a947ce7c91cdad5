"""kill -9 around S2's publishing: the old heads stay in force and readable, and the rerun is right."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from seg3b_assets_tests.end_to_end.installation import Installation, finish

pytestmark = pytest.mark.e2e
PATIENCE_S = 60.0


def begun(home: Path, key: str) -> bool:
    """S2 has a place to write."""
    return any((home / "staging").glob("S2-*"))


def growing(home: Path, key: str) -> bool:
    """S2 has written some of its evidence."""
    return any(path.stat().st_size for path in (home / "staging").glob("S2-*/logs/**/*.jsonl"))


def published(home: Path, key: str) -> bool:
    """S2's snapshot has just appeared."""
    return (home / "snapshots" / "S2" / key).exists()


def kill_when(
    reached: Callable[[Path, str], bool], process: subprocess.Popen[str], home: Path, key: str
) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not _holds(reached, home, key) and not published(home, key):  # on a busy machine we may look late
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    assert finish(process).exit_code == -signal.SIGKILL


def _holds(reached: Callable[[Path, str], bool], home: Path, key: str) -> bool:
    try:
        return reached(home, key)
    except FileNotFoundError:  # staging was renamed into place while we looked
        return False


@pytest.fixture(scope="module")
def undisturbed(
    finished: Installation, policies: Path, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """A finished home under other policies than ``finished``: what a rerun must arrive at."""
    folder = tmp_path_factory.mktemp("undisturbed")
    edited = shutil.copytree(policies, folder / "policies")
    with (edited / "edge_topology.yaml").open("ab") as topology:
        topology.write(b"# another month\n")
    installation = replace(finished, home=folder / "home", policies=edited)
    assert installation.run().passed()
    return installation


@pytest.mark.parametrize("instant", [begun, growing, published], ids=lambda one: one.__name__)
def test_the_heads_stay_the_old_ones_until_the_rerun_finishes(
    installation: Installation,
    finished: Installation,
    undisturbed: Installation,
    instant: Callable[[Path, str], bool],
) -> None:
    now = replace(installation, policies=undisturbed.policies)
    key = undisturbed.heads()["S2"]
    kill_when(instant, now.start(), now.home, key)

    died = now.condition()
    assert now.heads() == finished.heads()
    assert now.digests() == finished.digests()
    assert died.spoilt == []
    assert published(now.home, key) or died.leftovers

    assert now.run().passed()["flag"] == undisturbed.path("passed_flag_3B").read_bytes()[13:77].decode()
    assert now.heads() == undisturbed.heads()
    assert now.digests() == undisturbed.digests()
    after = now.condition()
    # A record of what S2 cost, killed while it was written, is no output; nothing else may be left.
    assert [path for path in after.leftovers if not path.startswith(str(now.home / "builds"))] == []
    assert after.spoilt == []
    assert not (now.home / "quarantine").exists()
