"""Which files this process has in hand, and the child in which they are read while its memory is watched.

Tables are weighed before they are read (``foreign.tables``), and yet what a decoder makes of hostile bytes is the
decoder's to say. So a command that judges a stranger's tree parts in two before it reads anything: the child does the
work and tells what it has in hand, the parent looks how large it grows. A child that is ended, by the parent or by what
it read, is started again with the file refused that it was reading, as often as it takes: a file that breaks the reader
is a finding, not the end.

Where a process cannot part safely (no ``fork``, other threads, libraries with threads already loaded) there is no
child, and the weighing stands alone.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seg3b_assets.terminal import flush

LIMIT: Final = "SEG3B_READER_MEMORY_MB"
# A small world's reader holds 475 MB, a tree of 400 MB takes 930: twice that, since allocators differ by machine. What
# unpacks to much is refused unread; here ends what nobody foresaw.
_BASE_BYTES: Final = 700 << 20
_LEAST_BYTES: Final = 1 << 30
_BYTES_PER_BYTE: Final = 3
_LOOKS_PER_S: Final = 100
_MOST_DEATHS: Final = 12
_WITH_THREADS: Final = ("polars", "pyarrow", "shapely")
_READ: Final = 1 << 16
_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP)


class UnreadableTableError(Exception):
    """A file that is no table, or none that fits in its bytes."""


@dataclass
class Reading:
    """What this process tells of the files it reads.

    Attributes:
        said: gets ``+path`` and a zero byte when a file is taken in hand, ``-path`` when it is done with; None where
            nobody listens.
        refused: paths that are not read.
        turn: held while one is read.
    """

    said: Callable[[bytes], object] | None = None
    refused: frozenset[str] = frozenset()
    turn: contextlib.AbstractContextManager[object] = field(default_factory=contextlib.nullcontext)

    def watch(self, pipe: int, refused: frozenset[str], alone: bool) -> None:
        """From now on tell it to a pipe; alone reads one file at a time."""
        self.said, self.refused = (lambda line: os.write(pipe, line)), refused
        self.turn = threading.RLock() if alone else contextlib.nullcontext()

    @contextlib.contextmanager
    def of(self, path: Path) -> Iterator[None]:
        """While this file is read.

        Raises:
            UnreadableTableError: it has ended a reader before.
        """
        if self.said is None:
            yield
            return
        if str(path) in self.refused:
            raise UnreadableTableError(f"{path.name}: it took more memory than it may, or ended the reader")
        name = os.fsencode(path) + b"\0"
        with self.turn:
            self.said(b"+" + name)
            try:
                yield
            finally:
                self.said(b"-" + name)


READING: Final = Reading()


class ReaderEndedError(Exception):
    """The child ended, and none of the files it was reading is the cause that can be refused."""


def memory_limit(tree_bytes: int) -> int | None:
    """Bytes a reader of a tree of this size may hold; SEG3B_READER_MEMORY_MB says otherwise, 0 for no limit.

    Raises:
        ValueError: the variable is no whole number.
    """
    text = os.environ.get(LIMIT)
    if text is None or not text.strip():
        return max(_LEAST_BYTES, _BASE_BYTES + _BYTES_PER_BYTE * tree_bytes)
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{LIMIT}={text}: a whole number of megabytes, or 0 for no limit")
    return int(text) << 20 or None


def part(most_bytes: int | None) -> int | None:
    """Part into a child that does the work and a parent that watches.

    Args:
        most_bytes: resident memory the child may hold.

    Returns:
        None to whoever shall do the work: the child, or the caller itself where there can be none. To the parent, the
        child's exit code.

    Raises:
        ReaderEndedError: in the parent, where no file can be refused.
    """
    if most_bytes is None or not _can_part():
        return None
    flush()  # or both would print it
    refused: frozenset[str] = frozenset()
    alone = False
    for _ in range(_MOST_DEATHS):
        read, write = os.pipe()
        # What comes before the parent can pass it on would end the parent alone.
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
        try:
            child = os.fork()
        except OSError:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
            raise
        if child == 0:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
            os.close(read)
            READING.watch(write, refused, alone)
            return None
        os.close(write)
        with _held(child):
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
            status, reading = _watched(child, read, most_bytes)
        if os.WIFEXITED(status):
            return os.WEXITSTATUS(status)
        if os.WTERMSIG(status) in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            return 128 + os.WTERMSIG(status)  # somebody's wish, as a shell tells it
        if not reading:
            raise ReaderEndedError(f"the reader was ended by {signal.Signals(os.WTERMSIG(status)).name}")
        # With several in hand, any may be the cause: read again, one by one.
        refused, alone = (refused | reading, alone) if len(reading) == 1 else (refused, True)
    raise ReaderEndedError(f"the reader was ended {_MOST_DEATHS} times")


def _can_part() -> bool:
    loaded = any(name in sys.modules for name in _WITH_THREADS)
    return hasattr(os, "fork") and threading.active_count() == 1 and not loaded


def _watched(child: int, read: int, most_bytes: int) -> tuple[int, frozenset[str]]:
    """The child's wait status, and the files it had in hand at its end."""
    reading: set[str] = set()
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(read, selectors.EVENT_READ)
        status: int | None = None
        while status is None:
            for _ in selector.select(1 / _LOOKS_PER_S):
                data = os.read(read, _READ)
                rest = _told(rest + data, reading)
                if not data:
                    selector.unregister(read)
            done, found = os.waitpid(child, os.WNOHANG)
            status = found if done else None
            if status is None and _resident(child) > most_bytes:
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
    os.set_blocking(read, False)
    try:
        while data := os.read(read, _READ):
            rest = _told(rest + data, reading)
    except BlockingIOError:
        pass
    finally:
        os.close(read)
    return status, frozenset(reading)


def _told(data: bytes, reading: set[str]) -> bytes:
    """Take whole lines ``+path`` and ``-path``; what is left of the last."""
    *lines, rest = data.split(b"\0")
    for line in lines:
        path = os.fsdecode(line[1:])
        if line[:1] == b"+":
            reading.add(path)
        else:
            reading.discard(path)
    return rest


def _resident(child: int) -> int:
    try:
        pages = Path(f"/proc/{child}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def _held(child: int) -> Iterator[None]:
    """Signals for the parent are the child's: it ends as it would alone, and the parent with it."""

    def passed_on(number: int, _: object) -> None:
        os.kill(child, number)

    before = {number: signal.signal(number, passed_on) for number in _PASSED_ON}
    # A terminal's Ctrl-C reaches both.
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
