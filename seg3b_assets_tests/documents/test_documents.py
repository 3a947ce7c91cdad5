"""Every command of every document runs as written, in order, in a fresh copy of this checkout."""

import re
from pathlib import Path

import pytest

from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.documents.blocks import blocks
from seg3b_assets_tests.documents.session import checkout, environment, run

DOCUMENTS = sorted(
    path
    for path in (REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md"))
    if path.parent.name != "reference"  # generated; its blocks are shapes of commands
)
_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")


@pytest.mark.e2e
@pytest.mark.parametrize(
    "path",
    [path for path in DOCUMENTS if blocks(path)],
    ids=lambda path: path.relative_to(REPOSITORY).as_posix(),
)
def test_the_document_runs_as_written(path: Path, tmp_path: Path) -> None:
    folder = checkout(tmp_path / "seg3b-assets")
    done = run(blocks(path), folder, environment(folder))
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_links_lead_to_files_of_the_repository(path: Path) -> None:
    targets = _LINK.findall(path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_blocks_know_their_note_and_their_place(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "# A\n\n<!-- fails with 1 -->\n```sh\nfalse\n```\n\n```text\nout\n```\n\n```sh\nmake ui\n```\n"
    )
    first, second = blocks(document)
    assert (first.line, first.exit_code, first.body) == (5, 1, "false\n")
    assert (second.note, second.exit_code, second.in_background) == ("", 0, False)


def test_a_session_stops_where_a_command_fails_and_says_where(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "```sh\necho one\n```\n<!-- fails with 3 -->\n```sh\nexit_three() { return 3; }\nexit_three\n```\n"
        "```python\nprint('two')\n```\n```sh\nfalse\necho never\n```\n"
    )
    done = run(blocks(document), tmp_path, environment(tmp_path))
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "@@ page.md:2",
        "one",
        "@@ page.md:6",
        "@@ page.md:10",
        "two",
        "@@ page.md:13",
    ]
