"""An upstream root of three square countries, small enough to write in a test and complete enough to seal."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import shapely

from seg3b_assets.laws.hashing import canonical_json, file_digest
from seg3b_assets.laws.identity import WorldIdentity

WORLD = WorldIdentity(42, "1" * 64, "2" * 64, "2026-01-02T03:04:05.000006Z")
POLICIES = Path(__file__).parents[2] / "policies"

# country, zone, square (west, south, east, north)
SQUARES = (
    ("FR", "Europe/Paris", (0.0, 44.0, 4.0, 48.0)),
    ("GB", "Europe/London", (-4.0, 50.0, 0.0, 54.0)),
    ("MT", "Europe/Malta", (14.0, 35.0, 15.0, 36.0)),
)


def countries(**shapes: shapely.Geometry | bytes) -> pl.DataFrame:
    """The three squares as country polygons; ``shapes`` puts others in place of them, by country."""
    wkb = [shapes.get(country, shapely.box(*square)) for country, _, square in SQUARES]
    rows = [value if isinstance(value, bytes) else shapely.to_wkb(value) for value in wkb]
    return pl.DataFrame({"country_iso": [country for country, _, _ in SQUARES], "geom": rows})


def zones() -> pl.DataFrame:
    """The three squares as zones."""
    return pl.DataFrame(
        {
            "tzid": [tzid for _, tzid, _ in SQUARES],
            "country_iso": [country for country, _, _ in SQUARES],
            "geometry": [shapely.to_wkb(shapely.box(*square)) for _, _, square in SQUARES],
        }
    )


@dataclass(frozen=True)
class Root:
    """A written root and the identity its receipt states."""

    path: Path
    world: WorldIdentity = WORLD

    def bundle(self, segment: str) -> Path:
        mf = self.world.manifest_fingerprint
        return self.path / f"data/layer1/{segment}/validation/manifest_fingerprint={mf}"


@dataclass(frozen=True)
class Tables:
    """What the root's tables hold; the default is enough for a run of S0 and S1."""

    merchants: pl.DataFrame = field(default_factory=lambda: merchants(40))
    gazetteer: pl.DataFrame = field(default_factory=lambda: gazetteer(12))
    coordinates: str | None = None
    countries: pl.DataFrame = field(default_factory=countries)
    zones: pl.DataFrame = field(default_factory=zones)


def merchants(count: int, mcc: Sequence[int] = (5411, 5816, 7995, 4814)) -> pl.DataFrame:
    """``count`` merchants over the three countries; ids scattered over the 64 bits."""
    ids = [1 + (number * 0x9E3779B97F4A7C15) % (2**64 - 1) for number in range(count)]
    rows = {
        "merchant_id": ids,
        "mcc": [mcc[number % len(mcc)] for number in range(count)],
        "channel": [("card_not_present", "card_present")[number % 5 == 0] for number in range(count)],
        "home_country_iso": [SQUARES[number % 3][0] for number in range(count)],
    }
    schema = {
        "merchant_id": pl.UInt64,
        "mcc": pl.Int32,
        "channel": pl.String,
        "home_country_iso": pl.String,
    }
    return pl.DataFrame(rows, schema=schema).sort("merchant_id")


def gazetteer(places_per_country: int) -> pl.DataFrame:
    """Places on the diagonal of each square, populations falling by halves."""
    rows = []
    for country, tzid, (west, south, east, north) in SQUARES:
        for number in range(places_per_country):
            share = (number + 1) / (places_per_country + 1)
            rows.append(
                {
                    "place_id": f"{country}-{number:03d}",
                    "country_iso": country,
                    "lat_deg": south + share * (north - south),
                    "lon_deg": west + share * (east - west),
                    "tzid": tzid,
                    "population": 4_000_000 >> number,
                }
            )
    return pl.DataFrame(rows)


def write_root(path: Path, tables: Tables | None = None, world: WorldIdentity = WORLD) -> Root:
    """Write everything S0 seals below ``path``."""
    root, tables = Root(path, world), tables or Tables()
    receipt = {
        "run_id": "0" * 32,
        "seed": world.seed,
        "parameter_hash": world.parameter_hash,
        "manifest_fingerprint": world.manifest_fingerprint,
        "created_utc": world.created_utc,
    }
    write(path / "run_receipt.json", canonical_json(receipt))
    _write_tables(root, tables)
    for segment in ("1A", "1B", "2A", "3A"):
        write_bundle(root, segment)
    return root


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def write_bundle(root: Root, segment: str, members: Mapping[str, bytes] | None = None) -> None:
    """A bundle with its index and flag, following the segment's law step by step."""
    folder = root.bundle(segment)
    members = members or {"checks/b.json": b"{}", "a.json": segment.encode(), "c.txt": b"\x00\xff"}
    for name, content in members.items():
        write(folder / name, content)
    index = bundle_index(root, segment, list(members))
    write(folder / "index.json", canonical_json(index))
    if segment == "3A":
        pairs = sorted((entry["logical_id"], entry["sha256_hex"]) for entry in index["members"])
        flagged = "".join(digest for _, digest in pairs).encode()
    else:
        flagged = b"".join(members[name] for name in sorted(members))
    write_flag(folder, hashlib.sha256(flagged).hexdigest())


def bundle_index(root: Root, segment: str, names: Sequence[str]) -> Any:
    folder = root.bundle(segment)
    if segment in ("1A", "1B"):
        return [
            {"artifact_id": name, "kind": "summary", "path": name, "mime": "text/plain", "notes": None}
            for name in names
        ]
    if segment == "2A":
        return {"files": [{"path": name, "sha256_hex": file_digest(folder / name)} for name in names]}
    return {
        "manifest_fingerprint": root.world.manifest_fingerprint,
        "parameter_hash": root.world.parameter_hash,
        "s6_receipt_digest": "a" * 64,
        "members": [
            {
                "logical_id": f"member_{name[::-1].replace('/', '_')}",
                "path": name,
                "schema_ref": "schemas.3A.yaml",
                "sha256_hex": file_digest(folder / name),
                "role": "evidence",
                "size_bytes": (folder / name).stat().st_size,
            }
            for name in names
        ],
    }


def write_flag(folder: Path, digest: str) -> None:
    write(folder / "_passed.flag", f"sha256_hex = {digest}\n".encode())


def _write_tables(root: Root, tables: Tables) -> None:
    world = root.world
    seed_folder = f"seed={world.seed}/manifest_fingerprint={world.manifest_fingerprint}"
    outlet = {"merchant_id": [1], "legal_country_iso": ["FR"], "site_order": [1]}
    frames = {
        "reference/layer1/transaction_schema_merchant_ids/v1/part-00000": tables.merchants,
        "reference/spatial/settlement_gazetteer/v3/settlement_gazetteer": tables.gazetteer,
        "reference/spatial/world_countries/2026/world_countries": tables.countries,
        "reference/spatial/tz_world/2026c/tz_world": tables.zones,
        f"data/layer1/1A/outlet_catalogue/{seed_folder}/part-00000": pl.DataFrame(outlet),
        f"data/layer1/1B/site_locations/{seed_folder}/part-00000": pl.DataFrame(
            {**outlet, "lon_deg": [2.0], "lat_deg": [46.0]}
        ),
        f"data/layer1/2A/site_timezones/{seed_folder}/part-00000": pl.DataFrame(
            {**outlet, "tzid": ["Europe/Paris"]}
        ),
        f"data/layer1/3A/zone_alloc/{seed_folder}/part-00000": pl.DataFrame(
            {
                "merchant_id": [1],
                "legal_country_iso": ["FR"],
                "tzid": ["Europe/Paris"],
                "zone_site_count": [1],
            }
        ),
    }
    tiles = f"parameter_hash={world.parameter_hash}"
    for country, _, (west, south, east, north) in SQUARES:
        tile = {"tile_id": [7], "min_lon_deg": [west], "max_lon_deg": [east]}
        tile |= {"min_lat_deg": [south], "max_lat_deg": [north]}
        frames[f"data/layer1/1B/tile_bounds/{tiles}/country={country}/part-00000"] = pl.DataFrame(tile)
        frames[f"data/layer1/1B/tile_index/{tiles}/country={country}/part-00000"] = pl.DataFrame(
            {"tile_id": [7]}
        )
        frames[f"data/layer1/1B/tile_weights/{tiles}/part-{country}"] = pl.DataFrame({"tile_id": [7]})
    for name, frame in frames.items():
        target = root.path / f"{name}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(target)
    if tables.coordinates is not None:
        write(root.path / "artefacts/virtual/virtual_settlement_coords.csv", tables.coordinates.encode())
