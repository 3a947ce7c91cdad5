"""The figures of record that a report compares with: ``policies/baseline`` certified on the embedded world.

``python -m seg3b_assets.certification.baseline_of_record HOME`` writes the file that ships beside this module,
from the newest certification in HOME; an end-to-end test certifies the pack again and compares.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from seg3b_assets.certification.archive import certification_named
from seg3b_assets.certification.documents import SeedDocument
from seg3b_assets.certification.evidence import metrics_file_name
from seg3b_assets.certification.references import OF_RECORD, metric_values
from seg3b_assets.doors import EXIT_USAGE, through_door
from seg3b_assets.terminal import complain


def figures(documents: Mapping[int, SeedDocument]) -> dict[str, Any]:
    """Metrics and verdict by seed.

    Args:
        documents: the metrics document of each seed.
    """
    seeds = {
        str(seed): {"metrics": dict(metric_values(document)), "verdict": document.verdict}
        for seed, document in sorted(documents.items())
    }
    return {"policies": "policies/baseline", "seeds": seeds}


def write(home: Path) -> None:
    """Write the file of record from the newest certification of a home."""
    kept = certification_named(home, "latest")
    documents = {seed: SeedDocument.of(kept.document(metrics_file_name(seed))) for seed in kept.lineages}
    OF_RECORD.write_bytes(orjson.dumps(figures(documents), option=orjson.OPT_INDENT_2) + b"\n")


def main() -> int:
    """Exit code 2 unless it is told exactly one home."""
    if len(sys.argv) != 2:
        complain("usage: python -m seg3b_assets.certification.baseline_of_record HOME")
        return EXIT_USAGE
    write(Path(sys.argv[1]))
    return 0


if __name__ == "__main__":
    through_door(main)
