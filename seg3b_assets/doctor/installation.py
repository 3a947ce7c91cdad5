"""What the product brings along, and the policies in force: whether all of it is there and can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seg3b_assets.doctor.finding import Finding, fine, of_error, stops
from seg3b_assets.shipped import shipped

if TYPE_CHECKING:
    from seg3b_assets.policies import PolicySet

POLICIES: Final = "policies"
CONTRACTS: Final = "contracts"
_SHIPPED: Final = ("contracts", "policies", "dagster.yaml", "workspace.yaml", "docs/laws.md")
_ANEW: Final = (
    "Install it anew: pip install --force-reinstall --no-deps seg3b-assets; in a checkout: git restore it."
)


def contracts() -> Iterator[Finding]:
    """Files that ship beside the code, and every contract compiled."""
    missing = False
    for name in _SHIPPED:
        try:
            shipped(name)
        except FileNotFoundError as error:
            missing = True
            yield stops(CONTRACTS, "SHIPPED_FILE_MISSING", name, str(error), _ANEW)
    if missing:
        return
    # They are read from what was just found.
    from seg3b_assets.contracts.artefact_registry import artefacts  # noqa: PLC0415
    from seg3b_assets.contracts.dictionary import all_contracts  # noqa: PLC0415

    try:
        declared = all_contracts()
    except Exception as error:  # whatever an altered file makes of it
        yield stops(CONTRACTS, "CONTRACT_UNREADABLE", str(shipped("contracts")), str(error), _ANEW)
        return
    sound = 0
    for one in declared.values():
        try:
            _compile(one)
        except Exception as error:  # whatever an altered file makes of it
            place = str(shipped("contracts") / one.schema_file)
            yield stops(CONTRACTS, "CONTRACT_UNREADABLE", place, f"{type(error).__name__}: {error}", _ANEW)
        else:
            sound += 1
    found = f"{sound} of {len(declared)} contracts, {len(artefacts())} artefacts in the registry"
    yield fine(CONTRACTS, "CONTRACTS", str(shipped("contracts")), found)


def policies(folder: Path) -> tuple[PolicySet | None, list[Finding]]:
    """The policies of a folder, and what is wrong with them; None where they cannot be used."""
    from seg3b_assets.realism.policy_reading import policies_and_errors  # noqa: PLC0415 - pydantic may not be there

    loaded, errors = policies_and_errors(folder)
    if loaded is None:
        return None, [of_error(POLICIES, error) for error in errors]
    versions = {name: file.version for name, file in loaded.files.items()}
    found = f"{len(versions)} policies load and agree"
    if loaded.overlaid is not None:
        found += f"; an overlay of {loaded.overlaid.base}, keys that differ: {len(loaded.overlaid.changes)}"
    return loaded, [fine(POLICIES, "POLICIES", str(folder), found, versions=versions)]


def meant(loaded: PolicySet) -> Iterator[Finding]:
    """What S4 would refuse of valid policies: fields bound to no published column, bounds that mean nothing."""
    from seg3b_assets.states.s4_contract.state import policy_errors  # noqa: PLC0415 - as above

    yield from (of_error(POLICIES, error) for error in policy_errors(loaded))


def _compile(declared: object) -> None:
    from seg3b_assets.contracts.dictionary import DatasetContract  # noqa: PLC0415 - as above

    assert isinstance(declared, DatasetContract)
    _ = declared.title
    if declared.is_table:
        _ = declared.polars_schema
