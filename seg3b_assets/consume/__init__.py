"""For those downstream: open a published run, refuse it unless its seal holds, draw edges from it.

    run = open_run("exports/seed=42")
    router = Router.of(run)
    events = router.route(merchant_ids)          # a million events in under a second

Reads the plain contract tree that ``seg3b export`` writes, or any tree in the contract's paths. Nothing here
knows the store, the policies or a state.
"""

from seg3b_assets.consume.router import Router, event_numbers, local_times, settlement_days
from seg3b_assets.consume.seal import require_sealed
from seg3b_assets.consume.tree import PublishedRun, open_run, run_over, virtual_merchants

__all__ = [
    "PublishedRun",
    "Router",
    "event_numbers",
    "local_times",
    "open_run",
    "require_sealed",
    "run_over",
    "settlement_days",
    "virtual_merchants",
]
