"""Whatever a stranger wrote, a terminal shows it and obeys none of it; and nothing is printed past the printer."""

from __future__ import annotations

import ast
import io
import logging
import re
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import orjson
import pytest

import seg3b_assets
from seg3b_assets import terminal
from seg3b_assets.cli import app
from seg3b_assets.screen import Screen, Table, styled

PACKAGE = Path(seg3b_assets.__file__).parent
PRINTERS = {"terminal.py", "screen.py", "laws/visible_text.py"}
FORBIDDEN_CALLS = {
    "print",
    "pprint",
    "echo",
    "secho",
    "getLogger",
    "basicConfig",
    "StreamHandler",
    "print_exc",
    "print_exception",
    "Console",
}
FORBIDDEN_IMPORTS = {"rich.console", "rich.table", "rich.text", "rich.panel", "rich.tree", "rich", "pprint"}
# A text that titles the window, clears the screen, forges a verdict and turns the reading order round.
HOSTILE = "\x1b]0;owned\x07\x1b[2J\nPASS  forged\r\x9b1m\u202e\u2066x"
COMMAND = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\u2028\u2029]")


def exits_past_the_printer(source: str) -> Iterator[str]:
    """Calls and names by which a module could print by itself."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            screen = (
                isinstance(node.func, ast.Attribute) and name == "print"
            )  # a Screen's, whatever it is called
            if name in FORBIDDEN_CALLS and not screen:
                yield f"{node.lineno}: {name}()"
        elif isinstance(node, ast.ImportFrom) and node.module in FORBIDDEN_IMPORTS:
            names = {alias.name for alias in node.names}
            if not names <= {"Text", "progress"}:
                yield f"{node.lineno}: from {node.module} import {', '.join(sorted(names))}"
        elif isinstance(node, ast.Attribute) and node.attr in (
            "stdout",
            "stderr",
            "__stdout__",
            "__stderr__",
        ):
            yield f"{node.lineno}: {node.attr}"


# What a stream is needed for besides printing.
KNOWN = {
    "doors.py": {"stdout"},  # flushed, and let go of when nobody reads
    "progress.py": {"stderr"},  # asked whether a person watches
    "bench/command_line.py": {"stdout"},  # of a child
    "bench/dagster_overhead.py": {
        "stdout",
        "stderr",
        "print()",
    },  # of a child, and figures a child prints for its parent
}


def test_nothing_prints_but_the_printer() -> None:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name in PRINTERS:
            continue
        exits = [
            one
            for one in exits_past_the_printer(path.read_text(encoding="utf-8"))
            if one.split(": ")[1] not in KNOWN.get(name, set())
        ]
        if exits:
            found[name] = exits
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "print(name)",
        "typer.echo(name)",
        "sys.stdout.write(name)",
        "sys.__stderr__.write(name)",
        "from rich.console import Console",
        "rich.console.Console()",
        "logging.getLogger('seg3b')",
        "traceback.print_exception(error)",
        "from rich import print",
    ],
)
def test_the_test_above_finds(source: str) -> None:
    assert list(exits_past_the_printer(source))


def test_lines_json_errors_and_logs_command_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    terminal.log_to_stderr(False)
    terminal.say(HOSTILE, "next")
    terminal.say_json({HOSTILE: HOSTILE})
    terminal.complain(HOSTILE)
    terminal.complain_of(ValueError(HOSTILE))
    logging.getLogger("some.library").warning("found %s", HOSTILE)
    said = capsys.readouterr()
    assert not COMMAND.findall(said.out + said.err)
    lines = said.out.splitlines()
    assert len(lines) == 3
    assert orjson.loads(lines[2]) == {HOSTILE: HOSTILE}
    assert said.err.splitlines()[0] == lines[0]
    assert said.err.splitlines()[-1].startswith("found \\x1b]0;owned")


def test_tables_command_nothing_and_a_cell_is_one_line() -> None:
    shown = StringIO()
    screen = Screen(file=shown, width=400)
    table = Table("what", HOSTILE)
    table.add_column("more")
    table.add_row("a", HOSTILE, styled(HOSTILE, "red"))
    screen.print(table)
    screen.print(f"path {HOSTILE} :smile: [red]x[/red]")
    text = shown.getvalue()
    assert not COMMAND.findall(text)
    assert len(text.splitlines()) == 3
    assert ":smile: [red]x[/red]" in text


def test_colour_is_still_colour() -> None:
    shown = StringIO()
    Screen(file=shown, force_terminal=True, color_system="standard").print(styled("pass", "green"))
    assert shown.getvalue() == "\x1b[32mpass\x1b[0m\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", f"--{HOSTILE}"],
        ["plan", "--seed", HOSTILE],
        ["plan", HOSTILE],
        [HOSTILE],
        ["verify", HOSTILE],
        ["refs", "set", HOSTILE],
        ["refs", "set", "candidate", HOSTILE],
        ["plan", "--home", HOSTILE.replace("\x1b", "s3://\x1b")],
        ["report", "--certification", HOSTILE],
        ["report", "--out", HOSTILE],
        ["diff", HOSTILE],
        ["export", HOSTILE, "there"],
        ["gazetteer", "build", "folder", "--columns", HOSTILE],
        ["sample", HOSTILE],
        ["run", "--lane", HOSTILE],
        ["certify", "--seeds", HOSTILE],
    ],
    ids=lambda arguments: " ".join(part for part in arguments if part.isalpha()) or "itself",
)
def test_what_is_repeated_of_an_argument_commands_nothing(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["seg3b", *arguments])
    with pytest.raises(SystemExit) as ended:
        app()
    said = capsys.readouterr()
    assert ended.value.code in (2, 3)
    assert said.err
    assert not COMMAND.findall(said.out + said.err)
    assert not any(line.startswith("PASS") for line in (said.out + said.err).splitlines())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_locale_without_the_letters_gets_escapes(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    terminal.say("§ 7 Ω 🜚")
    terminal.say_json({"law": "§ 7 Ω 🜚"})
    told, as_json = raw.getvalue().decode(encoding).splitlines()
    assert told.endswith(r"7 \u03a9 \U0001f71a")
    assert orjson.loads(as_json.encode("ascii")) == {"law": "§ 7 Ω 🜚"}
