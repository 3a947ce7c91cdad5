"""An upstream root: what a run refuses is named with the same code, all of it at once; what a run passes is passed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import shapely

from seg3b_assets.contracts import contract
from seg3b_assets.doctor import Severity
from seg3b_assets.doctor.finding import NOT_LOOKED_AT
from seg3b_assets.doctor.inputs import UNREAD
from seg3b_assets.doctor.installation import policies
from seg3b_assets.doctor.roots import Root, gates, seeds_of
from seg3b_assets.doctor.upstream import upstream
from seg3b_assets.laws.plain_files import Reach
from seg3b_assets.progress import SILENT
from seg3b_assets.states.maps import COUNTRIES, ZONES
from seg3b_assets.states.registry import states
from seg3b_assets.states.s0_gate.inventory import UPSTREAM
from seg3b_assets.states.s1_classification import state as s1
from seg3b_assets.states.s1_classification.classification import classification_tables
from seg3b_assets.states.s2_edges import state as s2
from seg3b_assets.states.s2_edges.surface import SURFACES
from seg3b_assets_tests.doctor.conftest import Broken
from seg3b_assets_tests.states.miniature_upstream import write_root

MERCHANTS = "transaction_schema_merchant_ids"


def line_for(country: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Put a line in place of a country's polygon."""
    line = shapely.to_wkb(shapely.LineString([(0, 0), (1, 1)]))
    at = pl.col("country_iso") == country
    return lambda frame: frame.with_columns(geom=pl.when(at).then(pl.lit(line)).otherwise(pl.col("geom")))


def drop_home(broken: Broken) -> None:
    """The country of most merchants, where it is no seat that policy names."""
    loaded, _ = policies(broken.settings.policies)
    assert loaded is not None
    seats = {seat.country_iso for rule in loaded.settlement.seat_rules for seat in rule.jurisdictions}
    homes = pl.read_parquet(broken.copy.file(MERCHANTS), glob=False)["home_country_iso"]
    home = homes.filter(~homes.is_in(list(seats))).value_counts().sort("count", "home_country_iso")[-1, 0]
    broken.copy.change("world_countries", lambda frame: frame.filter(pl.col("country_iso") != home))


def lose_channel(broken: Broken) -> None:
    broken.copy.change(MERCHANTS, lambda frame: frame.drop("channel"))


def lose_outlets(broken: Broken) -> None:
    shutil.rmtree(broken.copy.dataset("outlet_catalogue"))


def take_other_seed(broken: Broken) -> None:
    broken.copy.change("outlet_catalogue", lambda frame: frame.with_columns(global_seed=pl.lit(7, pl.UInt64)))


def bend_border(broken: Broken) -> None:
    broken.copy.change("world_countries", line_for("DE"))


def alter_bundle(broken: Broken) -> None:
    folder = broken.copy.bundle("2A")
    member = next(path for path in sorted(folder.glob("*.json")) if path.name != "index.json")
    broken.copy.write(member, member.read_bytes() + b"\n")


def alter_certified(broken: Broken) -> None:
    """Half of the outlets, under a flag that certifies all of them."""
    path = broken.copy.file("outlet_catalogue")
    half = pl.read_parquet(path, glob=False).head(10)
    path.unlink()
    half.write_parquet(path)


def write_coordinates(broken: Broken) -> None:
    """A merchant at sea, with the zone of Lima."""
    merchant = virtual_merchant(broken)
    header = "merchant_id,lat_deg,lon_deg,tzid_settlement,coord_source,evidence_url"
    broken.copy.coordinates(
        f"{header}\n{merchant},-77.04,-12.05,America/Lima,register,https://example.org/1\n"
    )


def write_semicolons(broken: Broken) -> None:
    broken.copy.coordinates("merchant_id;lat_deg;lon_deg;tzid_settlement;coord_source;evidence_url\n")


def cut_tiles(broken: Broken) -> None:
    broken.copy.truncate("tile_bounds", "US")


def leave_stray_tile_file(broken: Broken) -> None:
    broken.copy.write(broken.copy.dataset("tile_weights") / "_SUCCESS", b"")
    broken.copy.seal()


def lose_receipt(broken: Broken) -> None:
    (broken.copy.path / "run_receipt.json").unlink()


def virtual_merchant(broken: Broken) -> int:
    """A merchant whom the policies make virtual."""
    loaded, _ = policies(broken.settings.policies)
    assert loaded is not None
    merchants = pl.read_parquet(broken.copy.file(MERCHANTS), glob=False).sort("merchant_id")
    table, _ = classification_tables(merchants, loaded, broken.copy.world)
    return int(table.filter("is_virtual")["merchant_id"][0])


BREAK = {
    "a country of merchants is gone": (drop_home, "E3B_S0_INPUT_SCHEMA_MISMATCH"),
    "a column is missing": (lose_channel, "E3B_S1_INPUT_SCHEMA_MISMATCH"),
    "a dataset is missing": (lose_outlets, "E3B_S0_INPUT_OPEN_FAILED"),
    "rows of another seed": (take_other_seed, "E3B_S0_IDENTITY_MISMATCH"),
    "a border that is a line": (bend_border, "E3B_S0_INPUT_SCHEMA_MISMATCH"),
    "a bundle that is not what its flag says": (alter_bundle, "E3B_S0_UPSTREAM_HASH_MISMATCH"),
    "a dataset that is not what a bundle certifies": (alter_certified, "E3B_S0_UPSTREAM_HASH_MISMATCH"),
    "exchanged axes in the coordinates": (write_coordinates, "E3B_S1_SETTLEMENT_COORD_INVALID"),
    "tiles cut short": (cut_tiles, "E3B_S2_INPUT_OPEN_FAILED"),
    "no receipt": (lose_receipt, "E3B_S0_INPUT_OPEN_FAILED"),
}


@pytest.mark.parametrize("name", BREAK)
def test_what_a_run_refuses_is_named_with_the_same_code(broken: Broken, name: str) -> None:
    breaking, code = BREAK[name]
    breaking(broken)
    assert broken.run_ends_with() == code
    found = broken.stopping()
    assert set(found) == {code}
    assert all(one.place and one.remedy for one in found[code])


def test_a_root_that_nobody_touched_passes_both(broken: Broken) -> None:
    found = broken.doctor()
    assert {one.severity for one in found} == {Severity.fine}
    assert "REHEARSED" in {one.code for one in found}
    assert broken.run_ends_with() is None


def test_everything_broken_is_told_in_one_go(broken: Broken) -> None:
    cut_tiles(broken)
    leave_stray_tile_file(broken)
    take_other_seed(broken)
    lose_channel(broken)
    bend_border(broken)
    alter_bundle(broken)
    write_semicolons(broken)
    shutil.rmtree(broken.copy.dataset("zone_alloc"))
    shutil.rmtree(broken.copy.dataset("site_locations"))
    found = broken.stopping()
    assert {code: len(several) for code, several in found.items()} == {
        "E3B_S0_UPSTREAM_HASH_MISMATCH": 1,
        "E3B_S0_INPUT_OPEN_FAILED": 2,
        "E3B_S0_IDENTITY_MISMATCH": 1,
        "E3B_S0_INPUT_SCHEMA_MISMATCH": 1,
        "E3B_S1_INPUT_SCHEMA_MISMATCH": 2,
        "E3B_S2_INPUT_OPEN_FAILED": 1,
        "E3B_S2_TILE_SURFACE_INVALID": 1,
    }
    assert broken.run_ends_with() in found
    assert any(one.code == NOT_LOOKED_AT for one in broken.doctor())


def test_every_fault_of_one_table_is_named(broken: Broken) -> None:
    broken.copy.change(
        MERCHANTS, lambda frame: frame.drop("channel").with_columns(pl.col("mcc").cast(pl.String))
    )
    (found,) = broken.stopping().values()
    assert sorted(one.detail["column"] for one in found) == ["channel", "mcc"]


def test_every_altered_member_of_every_bundle_is_named(tmp_path: Path) -> None:
    root = write_root(tmp_path)
    for segment in ("2A", "3A"):
        for name in ("a.json", "checks/b.json"):
            (root.bundle(segment) / name).write_bytes(b"{} ")
    found = [
        one
        for one in gates(Root(root.path, root.world), Reach.of(root.path))
        if one.severity is Severity.stops
    ]
    assert {one.code for one in found} == {"E3B_S0_UPSTREAM_HASH_MISMATCH"}
    named = {Path(one.place).relative_to(root.path / "data/layer1").parts[0] for one in found}
    assert named == {"2A", "3A"}
    assert {one.place for one in found} >= {str(root.bundle(one) / "checks/b.json") for one in named}


def test_countries_that_nobody_needs_may_have_broken_tiles(broken: Broken) -> None:
    """What S2 would not read stops nothing, and is told."""
    broken.copy.truncate("tile_index", "TV")
    (found,) = [one for one in broken.doctor() if one.severity is not Severity.fine]
    assert (found.severity, found.code) == (Severity.odd, "E3B_S2_INPUT_OPEN_FAILED")
    assert broken.run_ends_with() is None


def test_what_is_odd_is_told_apart_from_what_stops(broken: Broken) -> None:
    broken.copy.change("world_countries", lambda frame: frame.filter(pl.col("country_iso") != "TV"))
    merchant = virtual_merchant(broken) + 1
    header = "merchant_id,lat_deg,lon_deg,tzid_settlement,coord_source,evidence_url"
    broken.copy.coordinates(
        f"{header}\n{merchant},-12.05,-77.04,America/Lima,register,https://example.org/1\n"
    )
    found = {one.code: one for one in broken.doctor() if one.severity is not Severity.fine}
    assert set(found) == {"COUNTRY_LEFT_PRIOR", "KEYS_UNUSED", "NOBODY_VOUCHES"}
    assert {one.severity for one in found.values()} == {Severity.odd}
    assert found["NOBODY_VOUCHES"].detail["datasets"] == ["virtual_settlement_coords"]
    assert found["COUNTRY_LEFT_PRIOR"].detail["findings"][0]["subject"] == "TV"
    assert str(merchant) in found["KEYS_UNUSED"].found


def test_policies_that_do_not_load_hide_nothing_else(broken: Broken) -> None:
    lose_outlets(broken)
    found = list(upstream(broken.settings, broken.copy.path, (), None, SILENT))
    assert [one.code for one in found if one.severity is Severity.stops] == ["E3B_S0_INPUT_OPEN_FAILED"]
    assert {one.seed for one in found} == {42}


def test_a_gazetteer_beside_the_root_is_used_without_a_trace(
    broken: Broken, tmp_path: Path, unchanged: Callable[[], None]
) -> None:
    place = broken.copy.dataset("settlement_gazetteer")
    shutil.move(place, tmp_path / "places")
    shutil.rmtree(place.parent)
    bare = broken.stopping()
    assert "E3B_S1_SETTLEMENT_COORD_MISSING" in bare
    unchanged()
    named = replace(broken, settings=replace(broken.settings, gazetteer=tmp_path / "places"))
    assert named.stopping() == {}
    nowhere = replace(broken, settings=replace(broken.settings, gazetteer=tmp_path / "none"))
    assert [one.place for one in nowhere.stopping()["E3B_S0_INPUT_OPEN_FAILED"]] == [str(tmp_path / "none")]


def test_a_gazetteer_that_cannot_be_read_is_refused_as_a_run_refuses_it(
    broken: Broken, tmp_path: Path
) -> None:
    place = broken.copy.dataset("settlement_gazetteer")
    shutil.move(place, tmp_path / "places")
    shutil.rmtree(place.parent)
    (file,) = (tmp_path / "places").glob("*.parquet")
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[: len(content) // 2])
    named = replace(broken, settings=replace(broken.settings, gazetteer=tmp_path / "places"))
    assert named.run_ends_with() in named.stopping()


def test_a_folder_of_roots_is_looked_at_seed_by_seed(broken: Broken, tmp_path: Path) -> None:
    shutil.move(broken.copy.path, tmp_path / "roots" / "seed=42")
    (tmp_path / "roots" / "seed=7").mkdir()
    (tmp_path / "roots" / "seed=7" / "run_receipt.json").write_bytes(b"{}")
    assert seeds_of(tmp_path / "roots") == [7, 42]
    assert seeds_of(tmp_path / "roots" / "seed=42") == [42]


def test_the_tables_asked_are_those_the_states_read() -> None:
    """A state that comes to read another table has it looked at, too."""
    held = {COUNTRIES, ZONES, *s1.TABLES, *s2.TABLES, *SURFACES}
    tables = {one.own_id for one in UPSTREAM if contract(one.own_id).is_table}
    read = {name for one in states()[:3] for name in one.spec.reads} & tables
    assert read <= held
    assert held | set(UNREAD) == tables
