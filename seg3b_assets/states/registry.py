"""The six states in order, imported when first asked for.

A state module exposes ``STATE`` (its ``StateSpec``) and ``run(context)``. Modules keep heavy imports
out of their top level, so that a run which reuses everything pays for none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module

from seg3b_assets.states.context import RunState, StateSpec

STATE_MODULES = (
    "seg3b_assets.states.s0_gate",
    "seg3b_assets.states.s1_classification",
    "seg3b_assets.states.s2_edges",
    "seg3b_assets.states.s3_alias",
    "seg3b_assets.states.s4_contract",
    "seg3b_assets.states.s5_bundle",
)


@dataclass(frozen=True)
class RegisteredState:
    """A state's declaration and the function that computes it."""

    spec: StateSpec
    run: RunState


@cache
def states() -> tuple[RegisteredState, ...]:
    """S0 … S5, in the order they run."""
    modules = (import_module(name) for name in STATE_MODULES)
    return tuple(RegisteredState(module.STATE, module.run) for module in modules)
