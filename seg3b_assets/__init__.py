"""Segment 3B of a synthetic payments world, as Dagster assets.

Virtual merchants, their legal settlement anchors, their networks of edges, the alias tables a router
samples from, and the evidence that all of it is sound. See ``README.md`` for a tour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> str:
    """``__version__``, as the package was installed; read when somebody asks, since that takes milliseconds."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version  # noqa: PLC0415

    return version("seg3b-assets")
