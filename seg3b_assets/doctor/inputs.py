"""What lies in an upstream root's datasets: contracts, borders, countries, tiles. The checks are the states' own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from seg3b_assets.doctor.finding import NOT_LOOKED_AT, ODD, Finding, Severity, fine, odd, of_error
from seg3b_assets.doctor.roots import Root
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.input_notes import input_notes
from seg3b_assets.pipeline.borders import GAZETTEER
from seg3b_assets.states.maps import COUNTRIES, ZONES
from seg3b_assets.states.s0_gate.findings import (
    covered_countries,
    left_prior,
    noted,
    uncovered_homes,
    uncovered_policies,
)
from seg3b_assets.states.s0_gate.maps import Maps, judged_countries, judged_zones
from seg3b_assets.states.s1_classification import state as s1
from seg3b_assets.states.s2_edges import state as s2
from seg3b_assets.states.s2_edges.surface import SURFACES, TileSurface

if TYPE_CHECKING:
    from seg3b_assets.policies import PolicySet
    from seg3b_assets.progress import Step

TABLES: Final = "upstream tables"
MAPS: Final = "upstream maps"
COVERAGE: Final = "upstream countries"
TILES: Final = "upstream tiles"
# Sealed, and read by nobody: their contracts stop nothing.
UNREAD: Final = ("site_locations", "site_timezones")
_BOUNDS: Final = "tile_bounds"


@dataclass
class Geography:
    """What was learnt of a root's maps.

    Attributes:
        maps: both tables, as they are; None where one of them could not be read.
        sound: whether every polygon of them is a border.
        covered: countries by what they have; None where that is not known.
        tile_errors: by country.
    """

    maps: Maps | None = None
    sound: bool = False
    covered: dict[str, frozenset[str]] | None = None
    tile_errors: dict[str, Seg3BError] = field(default_factory=dict)


def not_looked_at(area: str, what: str, root: Root, *wanted: str) -> Finding:
    """That a check could not be made, because what it reads is missing or would be refused."""
    lacking = sorted(root.absent.union(root.unfit).intersection(wanted)) or ["what stands above"]
    return odd(
        area, NOT_LOOKED_AT, what, f"not looked at for want of {', '.join(lacking)}", "Mend that first."
    )


def tables(root: Root) -> Iterator[Finding]:
    """Every table against its contract, as the state that reads it first would."""
    wanted = [
        *((name, "S0", None) for name in (COUNTRIES, ZONES)),
        *((name, "S1", code_of) for name, code_of in s1.TABLES.items()),
        *((name, "S2", None) for name in s2.TABLES),
    ]
    sound = []
    for name, state, code_of in wanted:
        if not root.inputs.has(name):
            continue
        errors = root.inputs.table_errors(name, state, code_of)
        yield from (of_error(TABLES, error) for error in errors)
        if errors:
            root.unfit.add(name)
        else:
            sound.append(name)
    for name in (one for one in UNREAD if root.inputs.has(one)):
        for error in root.inputs.table_errors(name, "S0"):
            yield of_error(ODD, error, Severity.odd)
    yield fine(TABLES, "TABLES", str(root.path), f"keep their contracts: {', '.join(sound)}", tables=sound)


def maps(root: Root, geography: Geography) -> Iterator[Finding]:
    """Every polygon of the two tables."""
    if not root.usable(COUNTRIES, ZONES, _BOUNDS):
        yield not_looked_at(MAPS, "borders", root, COUNTRIES, ZONES, _BOUNDS)
        return
    borders = judged_countries(root.inputs)
    zones = judged_zones(root.inputs, borders)
    geography.maps = Maps(borders.codes, borders.polygons, zones.tzids, zones.countries, zones.polygons)
    errors = [error for error in (borders.error, zones.error) if error is not None]
    geography.sound = not errors
    for error in errors:
        root.unfit.add(str(error.detail["logical_id"]))
        yield of_error(MAPS, error)
    if geography.sound:
        found = f"{len(borders.codes)} countries and {len(zones.tzids)} zone rows are borders"
        yield fine(MAPS, "MAPS", str(root.path), found)


def countries(root: Root, geography: Geography, policies: PolicySet | None) -> Iterator[Finding]:
    """Homes, seats and the prior against polygons, tiles and zones."""
    maps = geography.maps
    if maps is None or not root.usable(*SURFACES):
        yield not_looked_at(COVERAGE, "homes, seats, prior", root, COUNTRIES, ZONES, *SURFACES)
        return
    if not geography.sound and maps.zone_countries is None:
        yield not_looked_at(COVERAGE, "homes, seats, prior", root, COUNTRIES, ZONES)
        return
    covered = geography.covered = covered_countries(root.inputs, maps)
    if root.inputs.has(s1.MERCHANTS):
        yield from (of_error(COVERAGE, error) for error in uncovered_homes(root.inputs, covered))
    if policies is not None:
        yield from (of_error(COVERAGE, error) for error in uncovered_policies(policies, covered))
    numbers = {need: len(codes) for need, codes in covered.items()}
    found = ", ".join(f"{count} with {need}" for need, count in numbers.items())
    yield fine(COVERAGE, "COUNTRIES", str(root.path), found, **numbers)


def tiles(
    root: Root, geography: Geography, policies: PolicySet | None, workers: int, step: Step
) -> Iterator[Finding]:
    """The names of a surface's files, and each country's tiles; the latter are kept until it is known who is needed.

    Args:
        step: told after each country.
    """
    if not root.usable(*SURFACES):
        yield not_looked_at(TILES, "tile surface", root, *SURFACES)
        return
    surface = TileSurface.scan({name: root.inputs.path(name, "S2") for name in SURFACES})
    try:
        surface.require(surface.precheck([]))
    except Seg3BError as error:
        yield of_error(TILES, error)
    known = set(surface.files[SURFACES[0]]).intersection(*(surface.files[name] for name in SURFACES[1:]))
    wanted = (
        known
        if policies is None
        else known & {row.country_iso for row in policies.cdn_country_weights.countries}
    )

    def wrong(code: str) -> Seg3BError | None:
        try:
            surface.require_sound(code)
        except Seg3BError as error:
            return error
        return None

    with ThreadPoolExecutor(workers) as pool:
        for code, found in zip(sorted(wanted), pool.map(wrong, sorted(wanted)), strict=True):
            if found is not None:
                geography.tile_errors[code] = found
            step(1)
    yield fine(
        TILES,
        "TILES",
        str(root.path),
        f"{len(wanted) - len(geography.tile_errors)} countries have sound tiles",
    )


def judged_tiles(root: Root, geography: Geography, needed: set[str] | None) -> Iterator[Finding]:
    """The countries whose tiles are not sound: those that no edge stands in stop nothing.

    Args:
        needed: countries that edges of the seed stand in; None where that is not known.
    """
    for code, error in geography.tile_errors.items():
        stopping = needed is None or code in needed or not root.inputs.has(GAZETTEER)
        found = of_error(TILES if stopping else ODD, error, Severity.stops if stopping else Severity.odd)
        yield found


def notes(root: Root, geography: Geography, policies: PolicySet | None, report: object) -> Iterator[Finding]:
    """What is odd and allowed, a finding per kind, as ``seg3b run`` says it.

    Args:
        report: ``s1_run_report_3B``, where S1 was rehearsed.
    """
    found = []
    if geography.maps is not None and geography.sound:
        found += geography.maps.findings()
    if geography.covered is not None and policies is not None:
        found += left_prior(policies, geography.covered)
    document: dict[str, Any] = {"findings": [one.as_json() for one in sorted(found)]}
    for note in input_notes(document, noted(root.inputs.receipt, document), report):
        remedy = "Nothing, if that is meant; a run says the same, and goes on."
        subjects = [one for one in document["findings"] if one["kind"] == note.kind]
        yield odd(ODD, note.kind, str(root.path), note.sentence, remedy, count=note.count, findings=subjects)
