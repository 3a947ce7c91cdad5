"""Policies of segments 2A and 2B that an upstream root carries: sealed, and compared with the segment's own.

Where the root has the layer's file for the same matter, its bytes are sealed under the published id, and every value
that both state and state differently is named in the receipt's notes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seg3b_assets.contracts.artefact_registry import LAYER_POLICIES, by_own_id
from seg3b_assets.laws.errors import fail
from seg3b_assets.policies import PolicySet
from seg3b_assets.policies.layer_policies import layer_document, policy_differences


def carried_policies(root: Path) -> Iterator[tuple[str, Path]]:
    """The segment's policy id and the layer's file, for each the root has."""
    registry = by_own_id()
    for policy_id in LAYER_POLICIES:
        path = root / registry[policy_id].path
        if path.is_file():
            yield policy_id, path


def differences(root: Path, policies: PolicySet) -> list[str]:
    """A sentence per value that the layer's file and the segment's policy both state and state differently.

    Raises:
        Seg3BError: ``INPUT_SCHEMA_MISMATCH`` for a file that is no JSON or YAML.
    """
    registry = by_own_id()
    return [
        sentence
        for policy_id, path in carried_policies(root)
        for sentence in policy_differences(policy_id, registry[policy_id].logical_id, _read(path), policies)
    ]


def _read(path: Path) -> object:
    try:
        return layer_document(path)
    except ValueError as error:
        raise fail(
            "layer_policy_readable",
            str(path),
            "Restore the policy as its segment published it, or take it out of the root: the segment goes by its own.",
            reason=str(error),
        ) from error
