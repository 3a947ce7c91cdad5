"""Faults of evidence taken away: what every export carries, removed, and the list of files written anew without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from seg3b_assets.policies import SEALED_POLICIES
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.fault import Fault, edited

_RECEIPT = "run_receipt.json"
_UPSTREAM = "inputs/upstream/"
# What an export carries of upstream, by a part of its path.
_INPUTS = (
    "transaction_schema_merchant_ids",
    "outlet_catalogue",
    "settlement_gazetteer",
    "world_countries",
    "tz_world",
    "zone_alloc",
    "1A/validation",
    "1B/validation",
    "2A/validation",
    "3A/validation",
    "upstream/run_receipt.json",
)


def lost_faults() -> Iterator[Fault]:
    """Receipt, policies, inputs and tiles in use, each gone, alone and with the receipt."""
    lost = "tree.files"
    yield edited(_RECEIPT, "an export without its receipt", "tree.receipt", _without(_RECEIPT), (lost,))
    yield edited("tile_excerpt", "the tiles in use taken away", lost, _without("tile_excerpt"))
    for policy_id in SEALED_POLICIES:
        taken = _without(f"inputs/policies/{policy_id}.yaml")
        yield edited(policy_id, f"the policy {policy_id} taken away", lost, taken)
    for part in _INPUTS:
        yield edited("inputs", f"{part} taken away", lost, _without(_UPSTREAM, part))
    yield edited("inputs", "upstream's files taken away, all of them", lost, _without(_UPSTREAM))
    yield edited(
        "inputs",
        "upstream's files taken away, and the receipt that listed them",
        "tree.receipt",
        _without(_UPSTREAM, also_receipt=True),
        (lost,),
    )


def _without(*parts: str, also_receipt: bool = False) -> Callable[[Tree], None]:
    """Remove the files whose path holds every part."""

    def take(tree: Tree) -> None:
        if also_receipt:
            tree.unshare()  # as every tree whose receipt is touched
        files = {one.relative_to(tree.root).as_posix(): one for one in tree.root.rglob("*") if one.is_file()}
        gone = [one for name, one in files.items() if all(part in name for part in parts)]
        if parts == (_RECEIPT,):
            gone = [tree.root / _RECEIPT]
        if not gone:
            raise ValueError(f"an export no longer carries {parts}")
        for one in gone:
            one.unlink()
        if also_receipt or parts == (_RECEIPT,):
            (tree.root / _RECEIPT).unlink(missing_ok=True)
            tree.touched.add(_RECEIPT)

    return take
