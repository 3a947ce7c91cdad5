"""Where this installation reads and writes: the home, the policies, the upstream root, the caches.

Every setting has an environment variable and a default that works in a fresh clone. Settings never
reach an output; what people tune about the segment itself is in ``policies/``.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from seg3b_assets.laws.plain_files import Reach, real_path
from seg3b_assets.locations import is_url, require_no_url
from seg3b_assets.locks import DEFAULT_WAIT_S, WAIT, seconds
from seg3b_assets.shipped import shipped
from seg3b_assets.world.recipe import WorldRecipe

T = TypeVar("T")
_SHOWN = 200
_FOLDERS = ("policies", "upstream", "cache", "gazetteer")
# Others, such as a missing folder or one that may not be read, are met where it is used.
_NO_NAME = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.EINVAL)
# For what only a checkout does: its documents, its benches, its tests. What ships, `shipped` knows.
REPOSITORY = Path(__file__).resolve().parents[1]


class SettingError(ValueError):
    """An environment variable that cannot be understood."""


@dataclass(frozen=True)
class Settings:
    """One installation's settings.

    Attributes:
        home: where snapshots, heads and run records live (SEG3B_HOME, ``.seg3b`` in the working folder); of a home
            by URL, its mirror below the cache (``store.backend``).
        policies: folder of policy files (SEG3B_POLICIES, the shipped ones).
        upstream: an upstream root, or a folder of ``seed={seed}`` roots (SEG3B_UPSTREAM); None for the
        embedded
            world.
        recipe: of the embedded world (SEG3B_WORLD_RESOLUTION in degrees, SEG3B_WORLD_MERCHANTS).
        cache: worlds and input digests (SEG3B_CACHE, ``seg3b`` in the user's cache folder).
        workers: threads or processes a state may use (SEG3B_WORKERS, the processors we may run on).
        digest_cache: False reads every input's bytes instead of trusting remembered digests.
        configured: whether policies, upstream and gazetteer are the ones the environment configures.
        gazetteer: places for upstream roots that have none of their own (SEG3B_GAZETTEER).
        promote: move the heads even though they are not.
        shared: folders that links of upstream roots may lead into, besides the root and the cache (SEG3B_SHARED).
    """

    home: Path
    policies: Path
    upstream: Path | None
    recipe: WorldRecipe
    cache: Path
    workers: int
    digest_cache: bool = True
    configured: bool = True
    promote: bool = False
    gazetteer: Path | None = None
    shared: tuple[Path, ...] = ()

    @property
    def reach(self) -> Reach:
        """Where the files of an upstream root may lie: below what its user named, or in the cache."""
        place = self.gazetteer
        places = place.parent if place is not None and not place.is_dir() else place
        # Worlds are the largest part of a cache, and their folder may have been put on another disk.
        return Reach.of(self.upstream, self.cache, self.cache / "world", places, *self.shared)

    @property
    def moves_heads(self) -> bool:
        """Whether a run under these settings puts its snapshots in force."""
        return self.configured or self.promote

    @classmethod
    def from_environment(cls, **overrides: Any) -> Settings:
        """The environment's settings, with what the caller overrides.

        Args:
            overrides: fields of this class, or ``resolution_deg`` and ``merchants`` of the recipe; None means
                not overridden.

        Raises:
            SettingError: an environment variable that is not of its type.
        """
        given = {name: value for name, value in overrides.items() if value is not None}
        base = cls._of_environment(os.environ)
        recipe = {name: given.pop(name) for name in ("resolution_deg", "merchants") if name in given}
        if recipe:
            given["recipe"] = replace(given.get("recipe", base.recipe), **recipe)
        for name in _FOLDERS:
            if name in given:
                given[name] = _folder(f"--{name}", str(given[name]))
        home = str(given.pop("home", None) or os.environ.get("SEG3B_HOME") or ".seg3b")
        settings = replace(base, **given)
        settings = replace(settings, home=_home(home, settings.cache))
        for path in (settings.home, settings.policies, settings.upstream, settings.cache):
            require_folder(path)
        return replace(settings, configured=_inputs(settings) == _inputs(base))

    @classmethod
    def _of_environment(cls, environment: Mapping[str, str]) -> Settings:
        default = WorldRecipe()
        texts = {name: environment.get(f"SEG3B_{name.upper()}") for name in _FOLDERS}
        named = {name: _folder(f"SEG3B_{name.upper()}", text) for name, text in texts.items() if text}
        caches = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        recipe = replace(
            default,
            resolution_deg=_read(environment, "SEG3B_WORLD_RESOLUTION", float, default.resolution_deg),
            merchants=_read(environment, "SEG3B_WORLD_MERCHANTS", int, default.merchants),
        )
        _read(environment, WAIT, seconds, DEFAULT_WAIT_S)
        return cls(
            home=Path(),
            policies=named.get("policies") or shipped("policies").absolute(),
            upstream=named.get("upstream"),
            recipe=recipe,
            cache=named.get("cache") or (caches / "seg3b").absolute(),
            workers=_read(environment, "SEG3B_WORKERS", _positive, _processors()),
            gazetteer=named.get("gazetteer"),
            shared=tuple(
                Path(one).absolute() for one in environment.get("SEG3B_SHARED", "").split(os.pathsep) if one
            ),
        )


def require_text(path: object) -> None:
    """Return for a path that is text; a locale that is not UTF-8 gives others as bytes nobody can read.

    Raises:
        SettingError: naming the path and what to set.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise SettingError(
            f"{str(path)!a} is no text under this locale: set PYTHONUTF8=1 or LC_ALL=C.UTF-8"
        ) from None


def require_folder(path: Path | None) -> None:
    """Return for a path that is a folder, or where one can be made as far as its name goes.

    Raises:
        SettingError: naming the path and what it is instead.
    """
    require_text(path)
    if path is None:
        return
    shown = str(path) if len(str(path)) <= _SHOWN else f"{str(path)[:_SHOWN]}…"
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            raise SettingError(f"{shown} is not a folder")
    except OSError as error:
        if error.errno in _NO_NAME:
            raise SettingError(f"{shown} can be no folder: {error.strerror}") from None
    except ValueError:  # a NUL
        raise SettingError(f"{shown!a} can be no folder") from None


def _folder(name: str, text: str) -> Path:
    try:
        require_no_url(name, text)
    except ValueError as error:
        raise SettingError(str(error)) from error
    return Path(text).absolute()


def _home(text: str, cache: Path) -> Path:
    if not is_url(text):
        return Path(text).absolute()
    # Only a home by URL needs the store here.
    from seg3b_assets.store.backend import home_at  # noqa: PLC0415

    try:
        return home_at(text, cache)
    except ValueError as error:
        raise SettingError(str(error)) from error


def _inputs(settings: Settings) -> tuple[Any, ...]:
    given = (settings.upstream, settings.gazetteer)
    return (real_path(settings.policies), *(path and real_path(path) for path in given), settings.recipe)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))  # a container's share, not the machine's
    return os.cpu_count() or 1


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError("must be at least 1")
    return value


def _read(environment: Mapping[str, str], name: str, convert: Callable[[str], T], default: T) -> T:
    text = environment.get(name)
    if not text:
        return default
    try:
        return convert(text)
    except ValueError as error:
        raise SettingError(f"{name}={text}: {error}") from error
