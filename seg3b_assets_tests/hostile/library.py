"""Every hostile input there is, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import chain

from seg3b_assets_tests.hostile.hostile import Hostile
from seg3b_assets_tests.hostile.of_homes import home_inputs
from seg3b_assets_tests.hostile.of_policies import place_inputs, policy_inputs
from seg3b_assets_tests.hostile.of_roots import root_inputs
from seg3b_assets_tests.hostile.of_trees import tree_inputs


@cache
def library() -> Mapping[str, Hostile]:
    """Inputs by name, in the order they are told."""
    found: dict[str, Hostile] = {}
    for hostile in chain(tree_inputs(), root_inputs(), home_inputs(), policy_inputs(), place_inputs()):
        if hostile.name in found:
            raise ValueError(f"two inputs are called {hostile.name!r}")
        found[hostile.name] = hostile
    return found
