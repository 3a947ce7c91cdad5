"""The instance's configuration, put together from files by what the environment names.

``dagster.yaml`` is that of one machine: SQLite, logs on disk. Dagster's configuration has no conditions, so a
setting brings a file of ``deploy/`` that is laid over it, key by key:

    DAGSTER_PG_HOST      deploy/dagster-postgres.yaml
    SEG3B_LOGS_BUCKET    deploy/dagster-s3-logs.yaml

Secrets stay in the environment; what is written names their variables.

    python -m seg3b_assets.orchestration.instance_home DAGSTER_HOME
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from seg3b_assets.doors import EXIT_USAGE, through_door
from seg3b_assets.locks import exclusive
from seg3b_assets.shipped import shipped
from seg3b_assets.store.writing import replace_file
from seg3b_assets.terminal import complain

BASE: Final = "dagster.yaml"
LAYERS: Final = {
    "DAGSTER_PG_HOST": "deploy/dagster-postgres.yaml",
    "SEG3B_LOGS_BUCKET": "deploy/dagster-s3-logs.yaml",
}
# Held by whoever opens the instance of a home, which may make its databases.
OPENING: Final = ".opening.lock"


def instance_config(environment: Mapping[str, str]) -> dict[str, Any]:
    """The configuration for this environment; a layer's key replaces the base's."""
    names = [BASE, *(file for variable, file in LAYERS.items() if environment.get(variable))]
    merged: dict[str, Any] = {}
    for name in names:
        merged |= yaml.safe_load(shipped(name).read_text(encoding="utf-8"))
    return merged


def write_instance_config(home: Path, environment: Mapping[str, str]) -> Path:
    """Write ``dagster.yaml`` of a Dagster home; one that is right already is left alone. Raises OSError."""
    target = home / BASE
    content = yaml.safe_dump(instance_config(environment), sort_keys=False).encode()
    # Processes that share a home start together.
    with exclusive(home / ".instance.lock"):
        if not target.is_file() or target.read_bytes() != content:
            replace_file(target, content)
    return target


def main() -> int:
    """Exit code 2 unless it is told exactly one folder."""
    if len(sys.argv) != 2:
        complain("usage: python -m seg3b_assets.orchestration.instance_home DAGSTER_HOME")
        return EXIT_USAGE
    write_instance_config(Path(sys.argv[1]), os.environ)
    return 0


if __name__ == "__main__":
    through_door(main)
