"""A world's maps are read and judged once in a process: hundreds of the tests' runs look at the very same polygons.

Reading, judging and comparing them are functions of nothing but their arguments, and a fifth of what a coarse run
costs. A map that differs in one byte is another map and is looked at anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import wraps
from typing import Any, Final

from seg3b_assets.laws import map_findings, polygons

# Of a table for the whole world; what tests make up by hand is small and does not come again.
_ROWS: Final = 200
_KEPT: Final = 8


def read_once() -> None:
    """From here on; to be called before anything else of ours is imported."""
    polygons.read_polygons = _once(
        polygons.read_polygons, tuple, lambda found: (found[0].copy(), dict(found[1]))
    )
    polygons.polygon_faults = _once(polygons.polygon_faults, _each, dict)
    map_findings.overlapping_countries = _once(
        map_findings.overlapping_countries,
        lambda dataset, codes, polygons: (dataset, *codes, *_each(polygons)),
        list,
    )


def _each(geometries: Sequence[object]) -> tuple[int, ...]:
    """Geometries do not change, and while they are kept nothing else has their ids."""
    return tuple(map(id, geometries))


def _once(
    function: Callable[..., Any], key_of: Callable[..., tuple[Hashable, ...]], copied: Callable[[Any], Any]
) -> Callable[..., Any]:
    kept: dict[tuple[Hashable, ...], tuple[object, Any]] = {}

    @wraps(function)
    def remembered(*arguments: Any) -> Any:
        if len(arguments[-1]) < _ROWS:
            return function(*arguments)
        key = key_of(*arguments)
        if key not in kept:
            found = function(*arguments)
            while len(kept) >= _KEPT:
                del kept[next(iter(kept))]
            kept[key] = (arguments, found)
        return copied(kept[key][1])

    return remembered
