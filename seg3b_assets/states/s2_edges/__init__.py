"""S2, the edge catalogue: who gets how many edges, in which countries, where, and with what weight."""

from seg3b_assets.states.context import StateContext
from seg3b_assets.states.run_report import publish_run_report
from seg3b_assets.states.s2_edges.spec import STATE

__all__ = ["STATE", "run"]


def run(context: StateContext) -> None:
    """Draw, place, weigh and publish every edge of the seed (see ``state``)."""
    from seg3b_assets.states.s2_edges import state  # noqa: PLC0415 - geometry and scipy only when S2 computes

    state.run(context)
    publish_run_report(context, STATE)
