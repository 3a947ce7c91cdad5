"""Where outputs live: snapshots, heads, the records of runs, and the cache of input digests.

Nothing here imports dagster or knows what a state computes. ``Store`` is the home, ``Staging`` what a
state writes to, ``Published`` what it reads earlier states through.
"""

from seg3b_assets.store.digest_cache import DigestCache
from seg3b_assets.store.home import Store
from seg3b_assets.store.outputs import ContractLookup, FileRecord, OutputContract, OutputRecord
from seg3b_assets.store.published import Published
from seg3b_assets.store.snapshots import KeyInputs, Snapshot
from seg3b_assets.store.staging import Staging

__all__ = [
    "ContractLookup",
    "DigestCache",
    "FileRecord",
    "KeyInputs",
    "OutputContract",
    "OutputRecord",
    "Published",
    "Snapshot",
    "Staging",
    "Store",
]
