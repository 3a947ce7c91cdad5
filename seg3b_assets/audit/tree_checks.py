"""Checks of an exported tree as a whole and of the bundle in it: what ``seg3b verify`` asks besides the audit.

S5 cannot ask these of itself: it writes the bundle after its audit.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from seg3b_assets.audit.checks import check_specs
from seg3b_assets.audit.excerpt import SEALED as EXCERPT_SEALED
from seg3b_assets.audit.excerpt import SOUND
from seg3b_assets.audit.excerpt import USED as EXCERPT_USED
from seg3b_assets.audit.findings import CheckSpec
from seg3b_assets.audit.upstream import GATES, INPUTS
from seg3b_assets.contracts import all_contracts

IDENTITY: Final = "tree.identity"
LAYOUT: Final = "tree.layout"
DATASETS: Final = "tree.datasets"
RECEIPT: Final = "tree.receipt"
FILES: Final = "tree.files"
STATE_DIGESTS: Final = "tree.states"
POLICIES: Final = "tree.policies"
FLAG_EXPECTED: Final = "tree.flag"
AT_HAND: Final = "S0.sealed_at_hand"

LAST_REPORT: Final = "s5_run_report_3B"
BUNDLE: Final = "BUNDLE_CONTENT_MISMATCH"
DIGEST: Final = "DIGEST_COMPONENT_MISMATCH"

# check_id, law, S5 error, likely cause
_LISTED: Final = (
    (IDENTITY, "§0 identity", "IDENTITY_MISMATCH", "receipts and paths speak of different runs"),
    (LAYOUT, "§0 identity", BUNDLE, "a file, folder or link that no dataset and no input of the run is"),
    (DATASETS, "§7 evidence", BUNDLE, "a dataset the receipt's states published is not in the tree"),
    (RECEIPT, "§0 identity", "IDENTITY_MISMATCH", "run_receipt.json was edited, or is of another run"),
    (FILES, "§7 evidence", DIGEST, "a file is missing, or its bytes changed after the export"),
    (STATE_DIGESTS, "§7 evidence", DIGEST, "the receipt speaks of other outputs than the tree holds"),
    (POLICIES, "§2 seal", "POLICY_SCHEMA_INVALID", "a policy of the tree was edited or is not readable"),
    (SOUND, "§4 tiles", "S2_CONTRACT_VIOLATION", "a tile's weight, id or bounds were edited"),
    (EXCERPT_SEALED, "§4 tiles", "S2_CONTRACT_VIOLATION", "the run was made on tiles that were never sealed"),
    (EXCERPT_USED, "§4 tiles", "S2_CONTRACT_VIOLATION", "a tile was put in that no edge is drawn into"),
    (INPUTS, "§2 seal", "SEALED_INPUT_DIGEST_MISMATCH", "an input was forged together with its seal"),
    (GATES, "§2 gates", "UPSTREAM_HASH_MISMATCH", "an upstream bundle does not hold what its flag says"),
    (AT_HAND, "§2 seal", "REQUIRED_INPUT_NOT_SEALED", "--upstream names what the tree does not carry"),
    ("S5.bundle_members", "§7 bundle", BUNDLE, "a member is missing, or something else lies in the bundle"),
    ("S5.bundle_index", "§7 bundle", BUNDLE, "index.json does not describe the members"),
    ("S5.flag", "§7 flag", "FLAG_DIGEST_MISMATCH", "the flag is missing or is not of this bundle"),
    ("S5.carried", "§7 evidence", BUNDLE, "a member is not the state's document it repeats"),
    ("S5.structural_summary", "§7 evidence", BUNDLE, "a check or count is not what S5's audit gives"),
    ("S5.rng_summary", "§7 evidence", BUNDLE, "a total, digest or size is not that of the logs"),
    ("S5.digest_summary", "§7 evidence", BUNDLE, "a digest is not that of the bytes"),
    ("S5.audit", "§7 evidence", BUNDLE, "a check, count, digest or figure is not what S5's audit gives"),
    ("S5.run_report", "§8 run report", BUNDLE, "S5's run report was edited, or is of another run"),
    ("S5.realism_results", "§7 evidence", BUNDLE, "a result is not that of virtual_validation_results_3B"),
    ("S5.manifest", "§7 evidence", BUNDLE, "a dataset's digest is not that of its bytes"),
)


# Asked only where somebody says which flag to expect.
ANCHOR: Final = CheckSpec(
    FLAG_EXPECTED,
    "§7 flag",
    "FLAG_DIGEST_MISMATCH",
    "the tree is another run than the one expected, or a forgery",
)


@cache
def bundle_documents() -> tuple[str, ...]:
    """Ids of the bundle's documents that S5 itself writes, its index among them."""
    folder = all_contracts()["validation_bundle_3B"].path
    return tuple(
        declared.id
        for declared in all_contracts().values()
        if declared.producer == "S5" and declared.path.startswith(folder) and declared.format == "json"
    )


@cache
def verify_specs() -> tuple[CheckSpec, ...]:
    """Every check of ``seg3b verify``, by check_id: those of S5's audit, of the tree and of the bundle."""
    specs = [*check_specs(), *(CheckSpec(*row) for row in _LISTED)]
    for dataset in (*bundle_documents(), LAST_REPORT):
        law = "§7 bundle"
        specs.append(CheckSpec(f"S5.{dataset}.contract", law, BUNDLE, "the member breaks its contract"))
        specs.append(CheckSpec(f"S5.{dataset}.identity", law, "IDENTITY_MISMATCH", "a member of another run"))
    return tuple(sorted(specs, key=lambda spec: spec.check_id))
