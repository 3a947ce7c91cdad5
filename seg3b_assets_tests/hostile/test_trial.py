"""The trial itself: each thing a door must not do is seen, and told as what it is."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import pytest

from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.faults.specimen import Specimen
from seg3b_assets_tests.hostile import hostile as limits
from seg3b_assets_tests.hostile import trial
from seg3b_assets_tests.hostile.doors import Door, Subject
from seg3b_assets_tests.hostile.ground import SECRET, Ground
from seg3b_assets_tests.hostile.hostile import Hostile, Outcome, Right
from seg3b_assets_tests.hostile.library import library
from seg3b_assets_tests.hostile.page import hostile_page

GENUINE = {"answer": 42}


class Small(Specimen):
    """A specimen of nothing but folders."""

    @property
    def upstream(self) -> Path:
        return self.folder / "upstream"


@pytest.fixture
def specimen(tmp_path: Path) -> Specimen:
    folder = tmp_path / "specimen"
    for name in ("tree", "upstream", "policies", "home"):
        (folder / name).mkdir(parents=True)
    return Small(folder / "tree", folder)


def outcome(specimen: Specimen, tmp_path: Path, script: str, right: Right = Right.GENUINE) -> Outcome:
    """What is made of a door that is a line of Python; ``place`` is its ground's folder."""

    def words(ground: Ground) -> tuple[str, ...]:
        return (
            sys.executable,
            "-c",
            f"import os, sys, pathlib\nplace = pathlib.Path({str(ground.folder)!r})\n{script}",
        )

    door = Door("verify", Subject.TREE, words, lambda _, said: said, lambda ground: (ground.target,))
    planted = Hostile("nothing", "test", Subject.TREE, lambda ground: None, {"verify": right})
    return trial.tried(specimen, 1, planted, door, GENUINE, tmp_path / "ground")


SAY = f"print({orjson.dumps(GENUINE).decode()!r})"
REFUSE = 'print(\'{"error": {"code": "E3B_S0_X", "validator": "x"}}\'); sys.exit(3)'


def test_what_is_right(specimen: Specimen, tmp_path: Path) -> None:
    genuine = outcome(specimen, tmp_path, SAY)
    assert (genuine.told, genuine.wrong) == ("as genuine", ())
    refused = outcome(specimen, tmp_path, REFUSE, Right.REFUSED)
    assert (refused.told, refused.wrong) == ("E3B_S0_X (x)", ())
    for script in (SAY, REFUSE):
        assert not outcome(specimen, tmp_path, script, Right.EITHER).wrong


@pytest.mark.parametrize(
    ("script", "wrong"),
    [
        (REFUSE, "refused, not as genuine"),
        ("print('{\"answer\": 43}')", "nothing right"),
        ("sys.exit(1)", "nothing right"),
        ("os.kill(os.getpid(), 6)", "died of signal 6"),
        ("raise ValueError('x')", "no name: Traceback"),
        (f"{SAY}; sys.stderr.write('\\x1b[2J')", "controls on the screen"),
        (f"{SAY}; sys.stderr.write('\\u202e')", "controls on the screen"),
        (f"{SAY}; sys.stderr.write('x\\nPASS  forged\\n')", "a line forged"),
        (f"{SAY}; sys.stderr.write('x' * 300_000)", "300014 characters said"),
        (f"{SAY}; sys.stderr.write((place / 'private/secret.txt').read_text())", "a secret told"),
        (f"{SAY}; (place / 'private/more').touch()", "made outside its places"),
        (f"{SAY}; (place / 'private/secret.txt').write_text('x')", "changed outside its places"),
        (f"{SAY}; (place / 'private/secret.txt').unlink()", "removed outside its places"),
        (f"{SAY}; (place / 'target').write_text('{SECRET}')", "a secret written"),
        (f"{SAY}; (place / 'target').symlink_to(place / 'private')", "a link to what is private written"),
    ],
)
def test_what_is_wrong(script: str, wrong: str, specimen: Specimen, tmp_path: Path) -> None:
    found = outcome(specimen, tmp_path, script).wrong
    assert [one for one in found if one.startswith(wrong)], found


def test_what_takes_too_much(specimen: Specimen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MOST_S", 0.5)
    assert "ended for its time" in outcome(specimen, tmp_path, "import time; time.sleep(60)").wrong
    monkeypatch.setattr(trial, "MOST_S", limits.MOST_S)
    monkeypatch.setattr(trial, "MOST_MB", 100)
    eaten = outcome(specimen, tmp_path, "import time; held = b'x' * (200 << 20); time.sleep(60)")
    assert "ended for its memory" in eaten.wrong
    assert eaten.peak_mb > 100
    # Gone before anybody looked, and told by the kernel.
    quick = outcome(specimen, tmp_path, f"held = b'x' * (200 << 20); {SAY}")
    assert [one for one in quick.wrong if one.endswith(("MB held", "for its memory"))]


def test_the_library_names_each_input_once_and_every_subject_has_some() -> None:
    assert {hostile.subject for hostile in library().values()} == set(Subject)
    assert all(hostile.doors for hostile in library().values())


def test_the_page_is_of_the_library() -> None:
    page = (REPOSITORY / "docs" / "hostile.md").read_text(encoding="utf-8")
    assert page == hostile_page(), "docs/hostile.md is out of date: make hostile"


def test_a_door_that_is_none_is_no_place_for_an_exception() -> None:
    with pytest.raises(ValueError, match="no doors"):
        Hostile("x", "test", Subject.TREE, lambda ground: None, {"run": Right.GENUINE})
