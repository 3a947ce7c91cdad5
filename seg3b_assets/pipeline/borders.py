"""The borders of an upstream root outside any run, and a root that is given the gazetteer it lacks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from seg3b_assets.contracts import contract
from seg3b_assets.inputs.tables import read_table
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.geography import CountryPolygons
from seg3b_assets.laws.hashing import file_digest, sha256_hex
from seg3b_assets.laws.plain_files import real_path, walk_below
from seg3b_assets.laws.visible_text import story
from seg3b_assets.laws.zones import ZoneResolver
from seg3b_assets.own_places import fresh_name, make_private
from seg3b_assets.progress import Progress
from seg3b_assets.settings import Settings
from seg3b_assets.states.s0_gate.upstream import RECEIPT_NAME, locate, read_receipt

LOG: Final = story("run")
GAZETTEER: Final = "settlement_gazetteer"
_PLACE: Final = ("reference", "spatial", GAZETTEER)
_FIRST_SEED: Final = 42


def borders_of(settings: Settings, progress: Progress) -> tuple[CountryPolygons, ZoneResolver]:
    """Country polygons and zones of the configured upstream, or of the embedded world.

    Raises:
        Seg3BError: what finding and reading the two tables raises.
    """
    from seg3b_assets.pipeline.segment import upstream_root  # noqa: PLC0415 - it gives roots their gazetteer

    root = settings.upstream
    if root is None:
        root = upstream_root(settings, _FIRST_SEED, progress)
    elif not (root / RECEIPT_NAME).exists():
        root = next((path for path in sorted(root.glob("seed=*")) if (path / RECEIPT_NAME).exists()), root)
    tables = {}
    for name in ("world_countries", "tz_world"):
        location = locate(contract(name), root, read_receipt(root))
        assert location is not None  # neither is optional
        tables[name] = contract(name).conform(read_table(contract(name), location, "S0"))
    countries, zones = tables["world_countries"], tables["tz_world"]
    listed = zones["country_iso"].to_list() if "country_iso" in zones.columns else None
    return (
        CountryPolygons.from_wkb(countries["country_iso"].to_list(), countries["geom"].to_list()),
        ZoneResolver.from_wkb(zones["tzid"].to_list(), listed, zones["geometry"].to_list(), 0.0, {}),
    )


def with_gazetteer(root: Path, gazetteer: Path, cache: Path) -> Path:
    """A root like ``root`` that has the gazetteer, by links, below the cache; ``root`` itself where it has its own.

    Args:
        gazetteer: folder of its parquet files, or the file.

    Raises:
        Seg3BError: ``INPUT_OPEN_FAILED`` where there is no gazetteer.
    """
    if has_gazetteer(root):
        LOG.info("%s has a gazetteer of its own, and %s is not used", root, gazetteer)
        return root
    files = gazetteer_files(gazetteer)
    try:
        version = sha256_hex("".join(file_digest(file) for file in files).encode())[:16]
    except OSError as error:
        raise _absent(gazetteer, error.strerror) from error
    target = cache / "roots" / sha256_hex(f"{real_path(root)}|{version}".encode())[:16] / root.name
    place = "/".join((*_PLACE, f"own-{version}"))
    links = dict(_links_around(real_path(root), _PLACE))
    links |= {f"{place}/{file.name}": real_path(file) for file in files}
    if os.path.lexists(target):
        if _links_below(target) == links:
            return target
        LOG.warning("%s is not what it would be made of now, and is made anew", target)
        _set_aside(target)
    make_private(target.parent)
    staging = fresh_name(target, ".staged")
    for name, leads_to in links.items():
        (staging / name).parent.mkdir(parents=True, exist_ok=True)
        (staging / name).symlink_to(leads_to)
    try:
        staging.rename(target)
    except OSError:  # another run made it meanwhile
        if _links_below(target) != links:
            raise
        shutil.rmtree(staging)
    return target


def has_gazetteer(root: Path) -> bool:
    """Whether a root has a gazetteer of its own."""
    return root.joinpath(*_PLACE).is_dir()


def gazetteer_files(gazetteer: Path) -> list[Path]:
    """The parquet files of a gazetteer: of the folder, or the file itself.

    Raises:
        Seg3BError: ``INPUT_OPEN_FAILED`` for a folder without one, or a file that is not there.
    """
    files = sorted(gazetteer.glob("*.parquet")) if gazetteer.is_dir() else [gazetteer]
    if not files:
        raise _absent(gazetteer, "no parquet file in it")
    if not files[0].is_file():
        raise _absent(gazetteer, "no such file")
    return files


def _links_around(source: Path, way: tuple[str, ...], above: str = "") -> Iterator[tuple[str, Path]]:
    """(path, where it leads) of links to everything of ``source`` but the folders of ``way``, which are real ones."""
    for entry in source.iterdir() if source.is_dir() else ():
        if entry.name != way[0]:
            yield f"{above}{entry.name}", entry
    if len(way) > 1:
        yield from _links_around(source / way[0], way[1:], f"{above}{way[0]}/")


def _links_below(folder: Path) -> dict[str, Path | None]:
    """Where every link below a folder leads, by path; None for a file, and for the folder itself if it is a link."""
    if folder.is_symlink() or not folder.is_dir():
        return {"": None}
    found: dict[str, Path | None] = {}
    for base, folders, names in walk_below(folder):
        for path in (base / name for name in (*folders, *names)):
            if path.is_symlink():
                found[path.relative_to(folder).as_posix()] = path.readlink()
            elif not path.is_dir():
                found[path.relative_to(folder).as_posix()] = None
    return found


def _set_aside(target: Path) -> None:
    """Remove what lies where a root of links is to be; nothing that a link in it leads to."""
    if target.is_symlink() or not target.is_dir():
        target.unlink()
        return
    unsound = fresh_name(target, ".staged")
    target.rename(unsound)
    shutil.rmtree(unsound)


def _absent(gazetteer: Path, reason: str | None) -> Seg3BError:
    return fail(
        "gazetteer_present",
        str(gazetteer),
        "Let --gazetteer or SEG3B_GAZETTEER name a folder that `seg3b gazetteer build` wrote, or unset it.",
        reason=reason,
    )
