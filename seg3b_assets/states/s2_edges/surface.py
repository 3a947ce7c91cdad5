"""The tile surface, country by country, and the exact pick of a tile per edge (law section 4).

A real surface has 221 million tiles: no country is read that no edge needs, one country is held at a
time per worker, and a tile is never a Python object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.contracts import contract, require_frame
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.tables import read_arrow
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.geography import groups, tile_centroid
from seg3b_assets.laws.plain_files import files_below
from seg3b_assets.laws.randomness import draw_position
from seg3b_assets.states.s2_edges.edges import EdgeSlots

U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]

SURFACES: Final = ("tile_weights", "tile_index", "tile_bounds")
_BOUNDS: Final = ["min_lon_deg", "max_lon_deg", "min_lat_deg", "max_lat_deg"]
_NAME_OF_FILE: Final = {
    "tile_weights": re.compile(r"part-(?P<iso>[A-Z]{2})\.parquet"),
    "tile_index": re.compile(r"country=(?P<iso>[A-Z]{2})/[^/]+\.parquet"),
    "tile_bounds": re.compile(r"country=(?P<iso>[A-Z]{2})/[^/]+\.parquet"),
}


@dataclass(frozen=True)
class TilePicks:
    """Each edge's tile and what placement and weighting need of it; arrays (n,).

    Attributes:
        tile_id: uint64. weight: int64, the tile's fixed-point population weight.
        min_lon, max_lon, min_lat, max_lat: degrees.
    """

    tile_id: U64
    weight: NDArray[np.int64]
    min_lon: F64
    max_lon: F64
    min_lat: F64
    max_lat: F64


@dataclass(frozen=True)
class TileSurface:
    """Files of the three surfaces by country."""

    files: dict[str, dict[str, list[Path]]]
    unresolved: dict[str, list[str]]

    @classmethod
    def scan(cls, folders: dict[str, Path]) -> TileSurface:
        """List each surface's files by the country their name carries."""
        files: dict[str, dict[str, list[Path]]] = {}
        unresolved: dict[str, list[str]] = {}
        for surface in SURFACES:
            files[surface], unresolved[surface] = _by_country(folders[surface], _NAME_OF_FILE[surface])
        return cls(files, unresolved)

    def precheck(self, required: list[str]) -> dict[str, Any]:
        """Countries required, present and missing per surface, before any surface is read."""
        surfaces = {
            surface: {
                "present": [iso for iso in required if iso in self.files[surface]],
                "missing": [iso for iso in required if iso not in self.files[surface]],
                "unresolved": self.unresolved[surface],
            }
            for surface in SURFACES
        }
        sound = all(not row["missing"] and not row["unresolved"] for row in surfaces.values())
        return {"required": required, "surfaces": surfaces, "status": "PASS" if sound else "FAIL"}

    def require(self, precheck: dict[str, Any]) -> None:
        """Raise for the first surface of a failed precheck."""
        names = {"tile_index": "tile_id_not_in_index"}
        for surface, row in precheck["surfaces"].items():
            if row["unresolved"]:
                stray = row["unresolved"]
                raise _invalid(
                    "unresolved", f"{surface}/{stray[0]}", {"files": stray[:5], "count": len(stray)}
                )
            if row["missing"]:
                failure = names.get(surface, f"{surface}_missing")
                raise _invalid(
                    failure, surface, {"countries": row["missing"][:10], "count": len(row["missing"])}
                )

    def pick(self, edges: EdgeSlots, words: U64, workers: int, advance: Callable[[int], None]) -> TilePicks:
        """A tile per edge: position = (x0·W) >> 64, the first tile whose cumulative weight exceeds it.

        Args:
            words: uint64 (n,), x0 of ``edge_tile_assign``.
            advance: told how many edges each finished country had.
        """
        n = edges.total
        picks = TilePicks(np.zeros(n, np.uint64), np.zeros(n, np.int64), *(np.zeros(n) for _ in _BOUNDS))

        def pick_country(part: tuple[Any, NDArray[np.int64]]) -> int:
            index, at = part
            self._pick_in(edges.iso[int(index)], at, words[at], picks)
            return int(at.shape[0])

        with ThreadPoolExecutor(workers) as pool:
            for done in pool.map(pick_country, groups(edges.country)):
                advance(done)
        return picks

    def centroids(self, countries: Sequence[str], workers: int) -> dict[str, tuple[float, float]]:
        """Where each country is by its tiles (``geography.tile_centroid``), (lon, lat) degrees."""

        def centroid(country: str) -> tuple[float, float]:
            tile_id, weight = self._weights(country)
            frame = self._read("tile_bounds", country, ["tile_id", "centroid_lon_deg", "centroid_lat_deg"])
            known = frame["tile_id"].to_numpy()
            _require_subset("tile_bounds_missing_ids", "tile_bounds", country, tile_id, known)
            row = np.searchsorted(known, tile_id)
            lon, lat = (frame[name].to_numpy()[row] for name in ("centroid_lon_deg", "centroid_lat_deg"))
            return tile_centroid(lon, lat, weight)

        with ThreadPoolExecutor(workers) as pool:
            return dict(zip(countries, pool.map(centroid, countries), strict=True))

    def require_sound(self, country: str) -> None:
        """Return for a country whose tiles can be picked. Raises what ``pick`` raises of it."""
        tile_id, _ = self._weights(country)
        self._bounds(country, tile_id, np.zeros(0, np.int64))

    def _pick_in(self, country: str, at: NDArray[np.int64], words: U64, picks: TilePicks) -> None:
        tile_id, weight = self._weights(country)
        cumulative = np.cumsum(weight.astype(np.uint64))
        row = np.searchsorted(cumulative, draw_position(words, cumulative[-1]), side="right")
        picks.tile_id[at], picks.weight[at] = tile_id[row], weight[row]
        bounds = self._bounds(country, tile_id, row)
        for name, column in zip(
            _BOUNDS, (picks.min_lon, picks.max_lon, picks.min_lat, picks.max_lat), strict=True
        ):
            column[at] = bounds[name]

    def _weights(self, country: str) -> tuple[U64, NDArray[np.int64]]:
        """Tile ids, ascending, and weights of one country; both checked against the index."""
        frame = self._read("tile_weights", country, ["tile_id", "weight_fp", "dp"])
        tile_id, weight = frame["tile_id"].to_numpy(), frame["weight_fp"].to_numpy()
        total, dps = int(weight.sum()), frame["dp"].unique()
        if total == 0:
            raise _invalid(
                "tile_weights_zero_sum", f"tile_weights/part-{country}.parquet", {"country": country}
            )
        if len(dps) != 1 or total != 10 ** int(dps[0]):
            raise _invalid(
                "dp_mismatch",
                f"tile_weights/part-{country}.parquet",
                {"country": country, "dp": dps.to_list()[:3], "weight_sum": total},
            )
        index = self._read("tile_index", country, ["tile_id"])["tile_id"].to_numpy()
        _require_subset("tile_id_not_in_index", "tile_index", country, tile_id, index)
        return tile_id, weight

    def _bounds(self, country: str, tile_id: U64, picked: NDArray[np.int64]) -> dict[str, F64]:
        frame = self._read("tile_bounds", country, ["tile_id", *_BOUNDS])
        if frame.is_empty():
            raise _invalid("tile_bounds_missing", f"tile_bounds/country={country}", {"country": country})
        known = frame["tile_id"].to_numpy()
        _require_subset("tile_bounds_missing_ids", "tile_bounds", country, tile_id, known)
        row = np.searchsorted(known, tile_id[picked])
        return {name: frame[name].to_numpy()[row] for name in _BOUNDS}

    def _read(self, surface: str, country: str, columns: list[str]) -> pl.DataFrame:
        files = self.files[surface][country]
        parts = [_part(surface, country, file) for file in files]
        frame = parts[0] if len(parts) == 1 else pl.concat([part.select(columns) for part in parts])
        return frame.select(columns).sort("tile_id")


def _part(surface: str, country: str, file: Path) -> pl.DataFrame:
    """One file of a country, in the contract's types: another part may have others that are taken, too."""
    try:
        # Small files by the hundred: pyarrow opens each at half of polars' cost, and workers are many.
        frame = pl.DataFrame(pl.from_arrow(read_arrow(file)))
    except UnreadableTableError as error:
        raise fail(
            "parquet_readable",
            str(file),
            "Restore the file from upstream: it is truncated or not parquet.",
            in_state="S2",
            reason=str(error)[:200],
        ) from error
    declared = contract(surface)
    require_frame(declared, frame, state="S2", name="INPUT_SCHEMA_MISMATCH", place=str(file))
    _require_country(country, frame, file)
    return declared.conform(frame)


def _require_country(country: str, frame: pl.DataFrame, file: Path) -> None:
    """The column that repeats the file's country; a surface need not have it."""
    if "country_iso" not in frame.columns:
        return
    others = frame.filter(pl.col("country_iso").ne_missing(country))["country_iso"]
    if others.len():
        raise fail(
            "path_column",
            f"{file}:country_iso",
            "Take the country's own tiles: the file is named after it, its rows are another one's.",
            in_state="S2",
            column="country_iso",
            expected=country,
            found=others[0],
            rows=others.len(),
        )


def _by_country(folder: Path, pattern: re.Pattern[str]) -> tuple[dict[str, list[Path]], list[str]]:
    found: dict[str, list[Path]] = {}
    unresolved: list[str] = []
    for name in files_below(folder):
        match = pattern.fullmatch(name)
        if match:
            found.setdefault(match["iso"], []).append(folder / name)
        else:
            unresolved.append(name)
    return found, unresolved


def _require_subset(failure: str, surface: str, country: str, wanted: U64, known: U64) -> None:
    if np.array_equal(wanted, known):
        return
    absent = wanted[~np.isin(wanted, known)]
    if absent.size:
        raise _invalid(
            failure,
            f"{surface}/country={country}",
            {"country": country, "count": int(absent.size), "tile_id": int(absent[0])},
        )


def _invalid(failure: str, place: str, detail: dict[str, Any]) -> Seg3BError:
    remedies = {
        "tile_weights_missing": "Supply part-XX.parquet for the countries, or drop them from the policy.",
        "dp_mismatch": "Weights of a country must carry one dp and sum to 10^dp: rebuild its tile_weights.",
        "tile_id_not_in_index": "Rebuild tile_index: it must hold every tile that carries a weight.",
        "tile_bounds_missing_ids": "Rebuild tile_bounds: it must hold every tile that carries a weight.",
        "tile_bounds_missing": "Supply tile_bounds for the countries named.",
        "tile_weights_zero_sum": "Give at least one tile of the country a positive weight.",
        "unresolved": "Take away what is no file of tiles (_SUCCESS, ._*, .DS_Store, *.crc), or name it by country: "
        "part-XX.parquet, country=XX/….",
    }
    return Seg3BError(
        "S2", "TILE_SURFACE_INVALID", failure, place, remedies[failure], {"failure": failure, **detail}
    )
