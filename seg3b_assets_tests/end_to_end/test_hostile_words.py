"""Whatever a person supplied, through the real commands: shown, never obeyed, and no line is forged."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from seg3b_assets_tests.end_to_end.installation import Installation
from seg3b_assets_tests.end_to_end.upstream_copies import UpstreamCopy

HOSTILE = "\x1b]0;owned\x07\x1b[2J\nPASS  forged\r\x7f\x9b1m\u202e\u2066\u2028x"
COMMAND = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\u2028\u2029]")


def said(installation: Installation, *arguments: str) -> tuple[int, str, str]:
    """Exit code and what a terminal would be given."""
    done = installation.seg3b(*arguments)
    out, err = done.stdout, done.stderr
    assert not COMMAND.findall(out + err)
    assert not [line for line in (out + err).splitlines() if line.startswith("PASS  forged")]
    assert "INTERNAL" not in out + err
    return done.exit_code, out, err


def policy_key(policies: Path) -> None:
    with (policies / "settlement.yaml").open("a", encoding="utf-8") as file:
        file.write('"' + HOSTILE.encode("unicode_escape").decode() + '": 1\n')


def policy_reason(policies: Path) -> None:
    text = HOSTILE.encode("unicode_escape").decode()
    (policies / "merchant_overrides.yaml").write_text(
        f'version: "{text}"\noverrides: "{text}"\n', encoding="utf-8"
    )


def policy_file(policies: Path) -> None:
    (policies / "settlement.yaml").write_bytes(b"\x1b[2J: [\n")


@pytest.mark.parametrize("spoil", [policy_key, policy_reason, policy_file])
@pytest.mark.parametrize("command", ["plan --seed 42", "run --seed 42", "doctor", "certify"])
def test_words_of_a_policy(
    finished: Installation,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    command: str,
) -> None:
    shutil.copytree(finished.policies, tmp_path / "policies")
    spoil(tmp_path / "policies")
    spoiled = replace(finished, policies=tmp_path / "policies", home=tmp_path / "home")
    code, out, err = said(spoiled, *command.split())
    assert code in (2, 3)
    assert out + err
    _, out, _ = said(spoiled, *command.split(), "--json")
    assert orjson.loads(out)


def test_names_of_a_tree_and_of_what_is_in_it(finished: Installation, tmp_path: Path) -> None:
    tree = tmp_path / HOSTILE
    assert said(finished, "export", "heads", str(tree))[0] == 0
    (tree / HOSTILE).write_text("more")
    for options in ([], ["--json"]):
        code, out, _ = said(finished, "verify", str(tree), *options)
        assert code == 3
        assert "\\x1b" in out if not options else orjson.loads(out)["tree"] == str(tree)
    code, out, _ = said(finished, "export", "heads", str(tree), "--json")
    assert orjson.loads(out)["error"]["detail"]["unlisted"] == [HOSTILE]
    assert said(finished, "sample", "--tree", str(tree))[0] in (0, 3)


@pytest.mark.parametrize("raw", [HOSTILE.encode(), b"no text \xff\x1b[2J"], ids=["controls", "no UTF-8"])
def test_the_name_of_a_home(finished: Installation, tmp_path: Path, raw: bytes) -> None:
    home = os.fsdecode(os.fsencode(tmp_path) + b"/" + raw)
    environment = replace(finished, home=Path(home))
    for command in (
        ["refs"],
        ["plan", "--seed", "42"],
        ["prune"],
        ["sample"],
        ["doctor"],
        ["run", "--seed", "x"],
    ):
        for options in ([], ["--json"]):
            said(environment, *command, *options)


@pytest.mark.parametrize(
    ("zone", "note"),
    [("Europe/Paris", "a \x1b[2J\u202e note"), ("Europe/\x1b[2JParis", ""), ("\u202esiraP", "")],
)
def test_a_row_of_coordinates(
    finished: Installation, upstream: UpstreamCopy, tmp_path: Path, zone: str, note: str
) -> None:
    header = "merchant_id,lat_deg,lon_deg,evidence_url,coord_source,tzid_settlement,notes"
    upstream.coordinates(f"{header}\n1,48.85,2.35,urn:x,register,{zone},{note}\n")
    installation = replace(finished, upstream=upstream.path, home=tmp_path / "home")
    code, _, err = said(installation, "run", "--seed", "42")
    assert code == 3
    assert "line 2" in err
    _, out, _ = said(installation, "run", "--seed", "42", "--json")
    assert orjson.loads(out)["error"]["code"].startswith("E3B_S1_")


def test_who_holds_a_home(finished: Installation, tmp_path: Path) -> None:
    home = tmp_path / "home"
    folder = home / "locks" / "holders"
    folder.mkdir(parents=True)
    path = folder / f"{'a' * 16}.json"
    path.write_bytes(orjson.dumps({"purpose": HOSTILE, "pid": 1, "host": HOSTILE, "since_utc": HOSTILE}))
    with path.open() as holder, (home / "locks" / "run.lock").open("w") as lock:
        fcntl.flock(holder, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = replace(finished, home=home, variables={"SEG3B_LOCK_WAIT_S": "0.2"})
        for command in (
            ["prune"],
            ["prune", "--dry-run"],
            ["run", "--seed", "42"],
            ["doctor"],
            ["prune", "--json"],
        ):
            _, out, err = said(waiting, *command)
            assert "owned" in out + err
