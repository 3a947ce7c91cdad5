"""Which files are in hand, for whoever watches a process read them (``foreign.supervision``)."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final


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
