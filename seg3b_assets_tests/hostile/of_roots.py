"""Upstream roots that mean harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import orjson
import polars as pl

from seg3b_assets.contracts import contract
from seg3b_assets_tests.hostile import harm
from seg3b_assets_tests.hostile.doors import Subject
from seg3b_assets_tests.hostile.ground import Ground
from seg3b_assets_tests.hostile.hostile import WORDS, Hostile, Right

Place = Callable[[Ground], Path]
_HEADER: Final = "merchant_id,lat_deg,lon_deg,evidence_url,coord_source,tzid_settlement,notes"
_ROW: Final = "1,48.85,2.35,urn:x,register,Europe/Paris"


def root_inputs() -> Iterator[Hostile]:
    """Of every kind, in every place where it differs."""
    for where, place in _PLACES.items():
        for what, put in harm.special(where in _EVERY).items():
            yield _in(f"{what} in place of {where} of a root", "no file", place, put)
    for what, put in harm.BOMBS.items():
        for where in ("the outlets", "a country's tiles"):
            yield _in(f"{what}, as {where}", "amplification", _PLACES[where], put)
            if where == "the outlets" and put in (
                harm.list_bomb,
                harm.row_bomb,
                harm.column_bomb,
                harm.thousand_columns,
            ):
                yield _in(
                    f"{what}, as {where}, vouched for", "amplification", _PLACES[where], put, sealed=True
                )
    for where in ("the receipt", "a gate's index", "what a gate certifies"):
        for what, put in harm.DOCUMENTS.items():
            kind = WORDS if put is harm.with_words else "amplification"
            yield _in(f"{what} in {where} of a root", kind, _PLACES[where], put)
    yield from _of_folders()
    yield from _of_evidence()
    yield from _of_coordinates()


def _in(name: str, kind: str, place: Place, put: harm.Put, sealed: bool = False) -> Hostile:
    def plant(ground: Ground) -> None:
        put(ground, place(ground))
        if sealed:
            ground.edited_root.seal()

    # An export holds each input it copies against its seal, and of a gate copies the flag alone; a plan opens no table.
    elsewhere = {"export from it": Right.GENUINE} if "gate" in name and "flag" not in name else {}
    elsewhere |= {"plan": Right.STALE} if sealed else {}
    return Hostile(name, kind, Subject.ROOT, plant, elsewhere)


def _dataset(logical_id: str, country: str = "") -> Place:
    return lambda ground: ground.edited_root.file(logical_id, country)


def _gate(name: str) -> Place:
    return lambda ground: ground.edited_root.bundle("1A") / name


_PLACES: Final[dict[str, Place]] = {
    "the receipt": lambda ground: ground.root / "run_receipt.json",
    "the outlets": _dataset("outlet_catalogue"),
    "the merchants": _dataset("transaction_schema_merchant_ids"),
    "the borders": _dataset("world_countries"),
    "a country's tiles": _dataset("tile_weights", "FR"),
    "a gate's flag": _gate("_passed.flag"),
    "a gate's index": _gate("index.json"),
    "what a gate certifies": _gate("certified_datasets_1A.json"),
}
_EVERY: Final = ("the receipt", "the outlets")


def _of_folders() -> Iterator[Hostile]:
    def outlets(ground: Ground) -> Path:
        return ground.edited_root.file("outlet_catalogue").parent

    def many(ground: Ground) -> None:
        folder = outlets(ground)
        for number in range(20_000):
            (folder / f"more-{number}.parquet").touch()

    def beside(name: str, put: harm.Put) -> Callable[[Ground], None]:
        return lambda ground: put(ground, outlets(ground) / name)

    def away(put: harm.Put) -> Callable[[Ground], None]:
        return lambda ground: put(ground, ground.root)

    plants: dict[str, tuple[str, Callable[[Ground], None]]] = {
        "the outlets moved out, a link in their place": (
            "links",
            lambda ground: harm.moved_out(ground, outlets(ground)),
        ),
        "a link to somebody's folder beside the outlets": (
            "links",
            beside("more", harm.link_to_private_folder),
        ),
        "a link to somebody's table beside the outlets": (
            "links",
            beside("more.parquet", _table_of_somebody),
        ),
        "a pipe beside the outlets": ("no file", beside("more.parquet", harm.pipe)),
        "2,500 folders beside the outlets": ("amplification", beside("more", harm.deep_folders)),
        "20,000 files beside the outlets": ("amplification", many),
        "a pipe in place of a root": ("no file", away(harm.pipe)),
        "a link to a device in place of a root": ("no file", away(harm.device)),
        "a folder with two links to itself in place of a root": ("no file", away(harm.folder_in_itself)),
        "somebody's folder in place of a root": ("links", away(harm.link_to_private_folder)),
    }
    for name, (kind, plant) in plants.items():
        yield Hostile(name, kind, Subject.ROOT, plant)


def _table_of_somebody(ground: Ground, path: Path) -> None:
    path.symlink_to(ground.private / "table.parquet")


def _of_evidence() -> Iterator[Hostile]:
    def half(ground: Ground) -> None:
        path = ground.edited_root.file("outlet_catalogue")
        frame = pl.read_parquet(path, glob=False, hive_partitioning=False)
        path.unlink()
        frame.head(frame.height // 2).write_parquet(path)

    def zone(ground: Ground) -> None:
        ground.edited_root.change(
            "site_timezones", lambda frame: frame.with_columns(tzid=pl.lit("../../../private/secret.txt"))
        )

    def words(ground: Ground) -> None:
        ground.edited_root.change(
            "transaction_schema_merchant_ids",
            lambda frame: frame.with_columns(home_country_iso=pl.lit(harm.WORDS)),
        )

    def member_elsewhere(ground: Ground) -> None:
        path = ground.edited_root.bundle("1A") / "index.json"
        index = orjson.loads(path.read_bytes())
        [first, *rest] = index["members"] if isinstance(index, dict) else index
        first = first | {"path": "../../../../../../private/secret.txt"}
        members = [first, *rest]
        harm.put(path, orjson.dumps(index | {"members": members} if isinstance(index, dict) else members))

    yield Hostile("half of the outlets, certified whole", "not as certified", Subject.ROOT, half)
    yield Hostile("a zone that is a path", "names as paths", Subject.ROOT, zone)
    yield Hostile("a country that is words for a screen", WORDS, Subject.ROOT, words)
    yield Hostile("a gate's member that is a path out", "names as paths", Subject.ROOT, member_elsewhere)


def _of_coordinates() -> Iterator[Hostile]:
    def text(data: bytes) -> Callable[[Ground], None]:
        return lambda ground: harm.put(ground.root / contract("virtual_settlement_coords").path, data)

    rows: dict[str, tuple[str, bytes]] = {
        "words for a screen in a note of the coordinates": (
            WORDS,
            f"{_HEADER}\n{_ROW},{harm.WORDS}\n".encode(),
        ),
        "coordinates with a million columns": (
            "amplification",
            b",".join(b"c%d" % n for n in range(1_000_000)),
        ),
        "coordinates of one line of 200 MB": (
            "amplification",
            _HEADER.encode() + b"\n1," + b"9" * 200_000_000,
        ),
        "coordinates with nothing but NUL": ("amplification", _HEADER.encode() + b"\n" + b"\0" * 1_000_000),
        "coordinates that open a quote": (
            "amplification",
            f'{_HEADER}\n{_ROW},"'.encode() + b"x" * 1_000_000,
        ),
    }
    for name, (kind, data) in rows.items():
        yield Hostile(name, kind, Subject.ROOT, text(data))
    place = contract("virtual_settlement_coords").path
    yield _in(
        "a pipe in place of the coordinates",
        "no file",
        lambda ground: _parent(ground.root / place),
        harm.pipe,
    )


def _parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
