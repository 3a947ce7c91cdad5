"""A home by URL is a local folder that names its origin: ``remote.json``, as a clone of a repository does.

The folder (the mirror) has the shape of any home, so states read and write local files and processes of one
machine lock each other out as usual. What is published lies at the origin; the mirror is a cache of it, and may be
removed at any time no process works in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import orjson

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.locations import FILE, folder_of, object_url, scheme_of
from seg3b_assets.locks import exclusive
from seg3b_assets.own_places import make_private, read_regular
from seg3b_assets.store.durable import replace_file
from seg3b_assets.store.remote import Remote

ORIGIN: Final = "remote.json"
_KNOWN: dict[Path, Remote] = {}


def home_at(text: str, cache: Path) -> Path:
    """The folder of a home named by URL: its mirror below ``cache``, or the folder itself of a ``file://``.

    Raises:
        ValueError: a URL of a scheme we cannot use, or with credentials or a query in it.
    """
    if scheme_of(text) == FILE:
        return folder_of(text)
    folder, url = _mirror(text, cache)
    if _origin(folder) != url:
        make_private(folder)
        with exclusive(folder / "locks" / "remote.lock"):
            replace_file(folder / ORIGIN, canonical_json({"url": url}))
    return folder


def unwritten_home_at(text: str, cache: Path) -> Path:
    """As ``home_at``, and nothing is written: the origin is known to this process alone. Raises ValueError."""
    if scheme_of(text) == FILE:
        return folder_of(text)
    folder, url = _mirror(text, cache)
    _KNOWN.setdefault(folder, Remote(url))
    return folder


def remote_of(home: Path) -> Remote | None:
    """The origin of a mirror; None for a home that is a folder of its own."""
    known = _KNOWN.get(home)
    if known is None and (url := _origin(home)):
        known = _KNOWN.setdefault(home, Remote(url))
    return known


def _mirror(text: str, cache: Path) -> tuple[Path, str]:
    try:
        url = object_url(text)
    except ValueError as error:
        raise ValueError(f"home: {error}") from None
    return cache / "homes" / sha256_hex(url.encode())[:16], url


def _origin(home: Path) -> str | None:
    try:
        return str(orjson.loads(read_regular(home / ORIGIN))["url"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Seg3BError(
            "S0",
            "INPUT_OPEN_FAILED",
            "origin_readable",
            str(home / ORIGIN),
            "Move it away if the home is a folder of its own; the mirror of a URL is made anew once it is removed.",
            {"reason": (error.strerror if isinstance(error, OSError) else None) or "it names no origin"},
        ) from error
