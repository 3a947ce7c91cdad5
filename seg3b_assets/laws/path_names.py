"""Names that come out of data and become part of a path: one folder or file, and nothing else."""

from __future__ import annotations

import re
from typing import Final

_LONGEST: Final = 255  # bytes of a name, on every file system we know
COUNTRY: Final = re.compile(r"[A-Z]{2}")


def is_one_name(text: str) -> bool:
    """Whether a text names one entry of a folder: no separator, not the folder or the one above, printable, not too
    long.
    """
    if text in ("", ".", "..") or "/" in text or "\\" in text or not text.isprintable():
        return False
    return len(text.encode("utf-8", "surrogatepass")) <= _LONGEST
