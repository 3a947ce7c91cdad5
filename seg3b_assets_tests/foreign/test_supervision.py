"""A reader that grows or dies over a file is started again without that file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from seg3b_assets.foreign.reading import LIMIT, memory_limit, part

SCRIPT = """
import os, signal, sys
# A signal that whoever started us ignores is ignored by us and our child: a test's worker may.
signal.signal(signal.SIGTERM, signal.SIG_DFL)
from pathlib import Path
from seg3b_assets.foreign.reading import READING, UnreadableTableError
from seg3b_assets.foreign.reading import ReaderEndedError, part

def read(path, does):
    try:
        with READING.of(Path(path)):
            does()
        return "read"
    except UnreadableTableError as error:
        return "refused"

def eat():
    held = []
    while True:
        held.append(bytearray(os.urandom(1 << 20) * 16))

{body}
"""


def run(body: str, **options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(body=body)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **options},
    )


PARTED = "code = part(200 << 20)\nif code is not None: sys.exit(code)\n"


@pytest.mark.parametrize(
    "does",
    ["eat", "os.abort", "lambda: os.kill(os.getpid(), signal.SIGSEGV)"],
)
def test_a_file_that_ends_its_reader_is_refused_and_the_rest_is_read(does: str) -> None:
    body = f"{PARTED}print(read('good', int), read('/x/bad', {does}), read('other', int)); sys.exit(7)"
    done = run(body)
    assert (done.returncode, done.stdout) == (7, "read refused read\n"), done.stderr


def test_of_several_in_hand_the_one_at_fault_is_found() -> None:
    body = f"""{PARTED}
from concurrent.futures import ThreadPoolExecutor
import time
with ThreadPoolExecutor(3) as pool:
    wait = lambda: time.sleep(0.5)
    bad = lambda: (time.sleep(0.2), os.abort())
    print(*pool.map(read, ["a", "bad", "b"], [wait, bad, wait]))
"""
    done = run(body)
    assert (done.returncode, done.stdout) == (0, "read refused read\n"), done.stderr


def test_a_reader_that_ends_over_no_file_is_told_as_such() -> None:
    body = "try:\n    code = part(200 << 20)\nexcept ReaderEndedError as error:\n    print(error); sys.exit(3)\neat()"
    done = run(body)
    assert (done.returncode, done.stdout) == (3, "the reader was ended by SIGKILL\n"), done.stderr


def test_what_ends_the_parent_ends_the_child() -> None:
    body = f"{PARTED}print(os.getpid(), flush=True)\nimport time\ntime.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(body=body)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert child != parent.pid
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(10) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(child, 0)
            time.sleep(0.02)


def test_where_libraries_with_threads_are_loaded_nobody_parts() -> None:
    import polars  # noqa: PLC0415, F401 - its threads are the reason

    assert part(1) is None


def test_the_limit_grows_with_the_tree_and_is_anybodys_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = memory_limit(10 << 20), memory_limit(400 << 20)
    assert small == 1 << 30
    assert large is not None
    assert large > 3 * (400 << 20)
    monkeypatch.setenv(LIMIT, "64")
    assert memory_limit(400 << 20) == 64 << 20
    monkeypatch.setenv(LIMIT, "0")
    assert memory_limit(1) is None
    monkeypatch.setenv(LIMIT, "much")
    with pytest.raises(ValueError, match=LIMIT):
        memory_limit(1)
