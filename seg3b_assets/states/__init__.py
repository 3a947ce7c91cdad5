"""The segment itself: S0 … S5, each a pure function of (identity, inputs, policy) to outputs.

Nothing here imports dagster. ``registry.states()`` lists the six in order; ``context`` holds
their common shape.
"""
