"""Small networks: what most tests are about shows on some hundred edges a merchant as well as on five hundred."""

from __future__ import annotations

import re
from pathlib import Path

_SMALL = {
    r"^  median: 500$": "  median: 120",
    r"^  minimum: 160$": "  minimum: 40",
    r"^  maximum: 1200$": "  maximum: 300",
    r"\[450, 550\]": "[60, 180]",
}


def small_networks(policies: Path, edges_per_part: int | None = None) -> Path:
    """Make the networks of a copy of the shipped policies small.

    Args:
        edges_per_part: of a part file, where several shall be written.
    """
    topology = policies / "edge_topology.yaml"
    text = topology.read_text(encoding="utf-8")
    parts = {r"^  edges_per_part: 100000$": f"  edges_per_part: {edges_per_part}"} if edges_per_part else {}
    for pattern, replacement in (_SMALL | parts).items():
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if count != 1:
            raise ValueError(f"edge_topology.yaml no longer has one {pattern}")
    topology.write_text(text, encoding="utf-8")
    return policies
