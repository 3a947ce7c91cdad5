"""Where outputs live: snapshots, heads, refs, the records of runs and their policies, digests of inputs.

Nothing here imports dagster or knows what a state computes. ``Store`` is the home, ``Staging`` what a
state writes to.
"""

from seg3b_assets.store.digest_cache import DigestCache
from seg3b_assets.store.home import Store
from seg3b_assets.store.outputs import ContractLookup, FileRecord, OutputContract, OutputRecord
from seg3b_assets.store.refs import REF_NAMES, RefName, Refs
from seg3b_assets.store.runs import KeptRun, KeptState, PolicyBytes, Runs
from seg3b_assets.store.snapshots import KeyInputs, Snapshot
from seg3b_assets.store.staging import Staging

__all__ = [
    "REF_NAMES",
    "ContractLookup",
    "DigestCache",
    "FileRecord",
    "KeptRun",
    "KeptState",
    "KeyInputs",
    "OutputContract",
    "OutputRecord",
    "PolicyBytes",
    "RefName",
    "Refs",
    "Runs",
    "Snapshot",
    "Staging",
    "Store",
]
