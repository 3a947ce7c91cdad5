"""``contracts/artefact_registry.yaml`` as it must read: generated, so that it cannot disagree with the contracts."""

from __future__ import annotations

from typing import Any, Final

import yaml

from seg3b_assets.contracts.artefact_registry import registry_document

_HEAD: Final = """\
# Every artefact of segment 3B by manifest key. Generated: `make docs` writes it, a test holds it.
#
# logical_id  what published documents call it; own_id what files, assets and plans of this segment call it
# path        template relative to a tree's root, an upstream root, or the policy folder
# published   whether the layer publishes the key; the others are this segment's own
"""


def registry_file() -> str:
    """The file's text."""
    document: dict[str, Any] = registry_document()
    return _HEAD + yaml.safe_dump(document, sort_keys=False, width=160, allow_unicode=True)
