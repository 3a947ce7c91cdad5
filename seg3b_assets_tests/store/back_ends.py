"""The back ends a test of the store runs against, and what a stranger's hand does to what they keep."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final, Literal
from uuid import uuid4

from seg3b_assets.store.backend import Backend, home_at
from seg3b_assets.store.object_store import ObjectStore

BackEnd = Literal["folder", "objects"]
BACK_ENDS: Final[tuple[BackEnd, ...]] = ("folder", "objects")
FOLDERS: Final = (
    "builds",
    "certifications",
    "heads",
    "policies",
    "quarantine",
    "refs",
    "reports",
    "runs",
    "snapshots",
    "staging",
)


def home_of(back_end: BackEnd, folder: Path) -> Path:
    """A home of a kind below ``folder``: itself, or the mirror of objects that live as long as the process."""
    if back_end == "folder":
        return folder / "home"
    return home_at(f"memory://{uuid4().hex}/home", folder / "cache")


def everything(backend: Backend) -> list[str]:
    """The path of all that is kept, but for locks and records of prunes."""
    return [f"{folder}/{path}" for folder in FOLDERS for path in backend.paths(folder)]


def lose(backend: Backend, place: str) -> None:
    """A file or a folder is gone."""
    if isinstance(backend, ObjectStore):
        backend.remote.remove([path for path in everything(backend) if f"{path}/".startswith(f"{place}/")])
        return
    path = backend.folder / place
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def spoil(backend: Backend, path: str, content: bytes) -> None:
    """A file holds other bytes, or is there where none was."""
    if isinstance(backend, ObjectStore):
        backend.remote.put(path, content)
        return
    target = backend.folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # never written into: it may be a hard link
    target.write_bytes(content)
