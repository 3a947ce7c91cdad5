"""The country weights are what the derivation gives, and a distribution over inhabited countries."""

import csv
from decimal import Decimal
from pathlib import Path

from seg3b_assets.policies.derive_country_weights import (
    TARGET,
    UNINHABITED,
    UNITS,
    apportion_units,
    inhabited_countries,
    internet_users,
    main,
    read_adoption,
)
from seg3b_assets.policies.strict_yaml import parse_document
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets_tests.policies.spoiling import SHIPPED


def test_shipped_file_is_what_the_derivation_writes(tmp_path: Path) -> None:
    main(tmp_path / "weights.yaml")
    assert (tmp_path / "weights.yaml").read_bytes() == TARGET.read_bytes()


def test_weights_are_twelve_place_decimals_that_sum_to_exactly_one() -> None:
    lines = [line for line in TARGET.read_text(encoding="utf-8").splitlines() if "weight:" in line]
    texts = [line.split("weight: ")[1].split(",")[0] for line in lines]
    assert all(len(text) == len("0.") + 12 for text in texts)
    assert sum(map(Decimal, texts)) == 1
    rows = parse_document(TARGET.read_bytes()).value["countries"]
    assert [f"{row['weight']:.12f}" for row in rows] == texts


def test_every_inhabited_country_and_no_other_has_a_weight() -> None:
    codes = {row.country_iso for row in load_policies(SHIPPED).cdn_country_weights.countries}
    assert {"FR", "NO", "VA", "PN", "TK"} <= codes
    assert not codes & (UNINHABITED | {"AN", "CS", "XX"})
    assert len(codes) == 242


def test_adoption_rows_name_source_and_year() -> None:
    with (Path(TARGET).parents[1] / "seg3b_assets/policies/internet_adoption.csv").open(
        encoding="utf-8"
    ) as file:
        rows = list(csv.DictReader(file))
    measured = [row for row in rows if row["internet_users_percent"]]
    assert len(measured) >= 150
    assert all(2010 <= int(row["year"]) <= 2024 and row["source"] for row in measured)
    assert all(0 < float(row["internet_users_percent"]) <= 100 for row in measured)


def test_weights_follow_people_online_to_half_a_unit() -> None:
    users = internet_users(inhabited_countries(), read_adoption())
    units = apportion_units(users)
    total = sum(users.values())
    assert sum(units) == UNITS
    for unit, count in zip(units, users.values(), strict=True):
        assert abs(unit * total - count * UNITS) < total


def test_a_country_without_a_figure_takes_its_regions_median() -> None:
    adoption = read_adoption()
    assert adoption["AX"].percent is None
    users = internet_users(dict.fromkeys(adoption, 100), adoption)
    peers = sorted(
        users[code]
        for code, row in adoption.items()
        if row.region == adoption["AX"].region and row.percent is not None
    )
    middle = (peers[(len(peers) - 1) // 2] + peers[len(peers) // 2]) // 2
    assert users["AX"] == middle
