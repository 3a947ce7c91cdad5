"""Digests of large inputs, remembered by path, size, mtime and inode (law section 2.3).

The cache only saves reading: a digest it returns is the one ``laws.hashing`` computed when the file had
exactly the same signature. A file changed so recently that a second change could hide within the
clock's granularity is never remembered. A missing, corrupt or foreign cache file is ignored;
``enabled=False`` reads every byte.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from seg3b_assets.laws.hashing import canonical_json, directory_digest, file_digest, sha256_hex
from seg3b_assets.laws.identity import HEX64
from seg3b_assets.laws.plain_files import files_below
from seg3b_assets.locks import exclusive
from seg3b_assets.own_places import read_regular
from seg3b_assets.store.writing import replace_file

FORMAT = "seg3b.digests.v1"
RACY_NS = 2_000_000_000
KEPT_WITHOUT_SWEEP = 4096
_SIGNATURE = re.compile(r"[0-9:]+|[a-f0-9]{64}")


class DigestCache:
    """SHA-256 of files and folders, read once per content.

    Args:
        store: file the digests are kept in; its folder is made when something is saved.
        enabled: False computes every digest from the bytes and saves nothing.
    """

    def __init__(self, store: Path, enabled: bool = True) -> None:
        self._store = store
        self._enabled = enabled
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, str]] = _load(store) if enabled else {}
        self._new: dict[str, tuple[str, str]] = {}

    def file(self, path: Path) -> str:
        """Hex SHA-256 of one file's bytes. Raises OSError when it cannot be read."""
        return self._digest("file", path, _file_signature, file_digest)

    def directory(self, path: Path) -> str:
        """Hex directory digest (``laws.hashing.directory_digest``). Raises OSError when it cannot be read."""
        return self._digest("directory", path, _directory_signature, directory_digest)

    def held(self, rule: str, path: Path, judge: Callable[[], None]) -> None:
        """Ask ``judge`` once per content whether a file or folder keeps a rule; it raises where it does not.

        Args:
            rule: its name, with all that the answer hangs on besides the content; without a colon.

        Raises:
            OSError: when the path cannot be looked at; and what ``judge`` raises.
        """

        def judged(_: Path) -> str:
            judge()
            return sha256_hex(rule.encode())

        self._digest(rule, path, _directory_signature if path.is_dir() else _file_signature, judged)

    def _digest(self, kind: str, path: Path, signature_of: Any, digest_of: Any) -> str:
        if not self._enabled:
            return str(digest_of(path))
        entry = f"{kind}:{path.absolute()}"
        signature, newest_ns = signature_of(path)
        with self._lock:
            known = self._known.get(entry)
        if known and known[0] == signature:
            return known[1]
        started_ns = time.time_ns()
        digest = str(digest_of(path))
        settled = newest_ns < started_ns - RACY_NS and signature_of(path)[0] == signature
        if settled:
            with self._lock:
                self._known[entry] = self._new[entry] = (signature, digest)
        return digest

    def save(self) -> None:
        """Merge what was learned into the cache file. A cache that cannot be written is not an error."""
        with self._lock:
            new, self._new = self._new, {}
        if not new:
            return
        with suppress(OSError), exclusive(self._store.with_suffix(".lock")):
            merged = _load(self._store) | new
            if len(merged) > KEPT_WITHOUT_SWEEP:
                merged = {k: v for k, v in merged.items() if Path(k.split(":", 1)[1]).exists()}
            replace_file(self._store, canonical_json({"format": FORMAT, "digests": merged}))


def _load(store: Path) -> dict[str, tuple[str, str]]:
    try:
        content = orjson.loads(read_regular(store))
        if content["format"] != FORMAT:
            return {}
        rows = content["digests"].items()
        return {entry: (sig, hex64) for entry, (sig, hex64) in rows if _well_formed(sig, hex64)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _well_formed(signature: Any, digest: Any) -> bool:
    texts = isinstance(signature, str) and isinstance(digest, str)
    return texts and bool(_SIGNATURE.fullmatch(signature)) and bool(HEX64.fullmatch(digest))


def _stamp(status: os.stat_result) -> str:
    # ctime too: it moves when bytes change under a restored mtime.
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_dev}:{status.st_ino}"


def _newest(status: os.stat_result) -> int:
    return max(status.st_mtime_ns, status.st_ctime_ns)


def _file_signature(path: Path) -> tuple[str, int]:
    status = path.stat()
    return _stamp(status), _newest(status)


def _directory_signature(path: Path) -> tuple[str, int]:
    if not path.is_dir():
        raise NotADirectoryError(f"{path} is not a directory")
    rows: list[tuple[str, str]] = []
    newest = 0
    for relative in files_below(path):
        status = os.stat(path / relative)  # noqa: PTH116
        rows.append((relative, _stamp(status)))
        newest = max(newest, _newest(status))
    return sha256_hex(canonical_json(rows)), newest
