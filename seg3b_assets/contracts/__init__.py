"""Contracts: what every dataset of the segment looks like, checked on the way in and on the way out.

The promises live in the repository's ``contracts/`` folder (JSON Schema 2020-12 and the dataset
dictionary); this package loads them, fills their paths, and checks tables by column and documents by a
compiled validator. It reads no dataset and writes none.
"""

from seg3b_assets.contracts.dictionary import DatasetContract, all_contracts, contract
from seg3b_assets.contracts.violations import Violation, require_document, require_frame

__all__ = [
    "DatasetContract",
    "Violation",
    "all_contracts",
    "contract",
    "require_document",
    "require_frame",
]
