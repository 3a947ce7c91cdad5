"""S2, the edge catalogue: who gets how many edges, in which countries, where, and with what weight."""

from seg3b_assets.states.s2_edges.state import STATE, run

__all__ = ["STATE", "run"]
