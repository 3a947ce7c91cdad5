"""What the product ships beside its code: contracts, policies, Dagster's configuration, the laws.

In a checkout these lie at the top level, where people read and change them; a wheel carries the same files inside the
package (``pyproject.toml`` says which). Whoever wants one asks here, and never counts folders upwards from itself.
"""

from __future__ import annotations

import importlib.resources
from functools import cache
from pathlib import Path
from typing import Final

_PACKAGE: Final = "seg3b_assets"
_CARRIED: Final = "_shipped"


@cache
def shipped(name: str) -> Path:
    """Where a shipped file or folder lies.

    Args:
        name: as in the checkout: ``contracts``, ``policies``, ``dagster.yaml``, ``docs/laws.md``, …

    Raises:
        FileNotFoundError: the product ships nothing of that name.
    """
    package = Path(str(importlib.resources.files(_PACKAGE)))
    carried = package / _CARRIED
    found = (carried if carried.is_dir() else package.resolve().parent) / name
    if not found.exists():
        raise FileNotFoundError(f"seg3b-assets is installed without {name}: {found}")
    return found
