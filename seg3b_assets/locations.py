"""What a person names as a place, a folder or a URL: read once, here, and written one way however it was given.

``S3://bucket/home/`` and ``s3://bucket//home`` are one place, and so is one mirror. Only a home and the target of an
export may be at a URL; every other place is a folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

SCHEMES: Final = ("s3", "gs", "az", "memory")
FILE: Final = "file"
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# What object stores keep as it is in a path; the rest is written with percent signs.
_PLAIN: Final = "/!$&'()*+,;=:@~"


def is_url(text: str) -> bool:
    """Whether a person means a URL and not a path."""
    return _URL.match(text) is not None


def scheme_of(text: str) -> str:
    """The scheme of a URL, in small letters; empty for a path."""
    found = _URL.match(text)
    return found[1].lower() if found else ""


def object_url(text: str) -> str:
    """A URL below which objects can be kept, in the one way it is written: the scheme small, no empty part of the path
    and no slash at its end.

    Raises:
        ValueError: a scheme we cannot use, no bucket, no path an object can have, or credentials or a query in it; it
            repeats none of those.
    """
    scheme = scheme_of(text)
    if scheme not in SCHEMES:
        raise ValueError(f"{scheme}://… is neither a path nor one of {', '.join(SCHEMES)}")
    try:
        split = urlsplit(text)
    except ValueError:
        raise ValueError(f"{scheme}://…: no URL has such a bucket") from None
    if "@" in split.netloc or split.query or split.fragment:
        raise ValueError(f"{scheme}://…: credentials and options belong in the environment, not in the URL")
    if not split.netloc:
        raise ValueError(f"{scheme}://… names no bucket")
    parts = [part for part in _decoded(scheme, split.path).split("/") if part]
    if not split.netloc.isprintable() or {".", ".."} & {*parts}:
        raise ValueError(f"{scheme}://…: no object can have such a name")
    return "/".join([f"{scheme}://{split.netloc}", *(quote(part, safe=_PLAIN) for part in parts)])


def folder_of(text: str) -> Path:
    """The folder of a ``file:///`` URL. Raises ValueError for one of another machine, or that no folder can have."""
    split = urlsplit(text)
    if (
        split.netloc not in ("", "localhost")
        or split.query
        or split.fragment
        or not split.path.startswith("/")
    ):
        raise ValueError("file://… names a folder of this machine as file:///its/path")
    return Path(_decoded(FILE, split.path)).absolute()


def require_no_url(name: str, text: str) -> None:
    """Return for a path. Raises ValueError naming the setting of a URL; it repeats only the scheme."""
    if is_url(text):
        raise ValueError(
            f"{name} is a URL ({scheme_of(text)}://…): only a home and an export's target may be at one; name "
            "a folder, and copy there what it is to hold"
        )


def _decoded(scheme: str, path: str) -> str:
    try:
        text = unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise ValueError(f"{scheme}://…: its path is no UTF-8") from None
    if not text.isprintable():
        raise ValueError(f"{scheme}://…: its path has a control character")
    return text
