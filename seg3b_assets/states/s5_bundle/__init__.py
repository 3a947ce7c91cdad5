"""S5, bundle and flag (law section 7): audits what S0 to S4 published, then seals the evidence."""

from seg3b_assets.states.s5_bundle.state import STATE, run

__all__ = ["STATE", "run"]
