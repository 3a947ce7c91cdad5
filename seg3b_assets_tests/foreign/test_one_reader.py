"""Whoever reads what strangers gave us reads it through the one reader: no module among them opens a file by itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import seg3b_assets

PACKAGE = Path(seg3b_assets.__file__).parent
READERS = (
    *sorted(PACKAGE.glob("audit/*.py")),
    *sorted(PACKAGE.glob("consume/*.py")),
    *sorted(PACKAGE.glob("states/s0_gate/*.py")),
    *sorted(PACKAGE.glob("states/s[12]_*/*.py")),
    *(PACKAGE / "inputs" / name for name in ("tables.py", "sealed.py")),
    PACKAGE / "states" / "tile_files.py",
    PACKAGE / "contracts" / "geotables.py",
    PACKAGE / "policies" / "loader.py",
    PACKAGE / "policies" / "layer_policies.py",
    PACKAGE / "pipeline" / "export_inputs.py",
    PACKAGE / "world" / "places.py",
)
# Each opens, or walks, by a path that may be a pipe, a device, a loop or a bomb.
BY_THEMSELVES = {
    "read_bytes",
    "read_text",
    "rglob",
    "read_parquet",
    "scan_parquet",
    "read_parquet_schema",
    "ParquetFile",
    "read_metadata",
    "memory_map",
}


@pytest.mark.parametrize("module", READERS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_reader_of_foreign_files_opens_one_by_itself(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in BY_THEMSELVES, f"{module.name}:{node.lineno}"
            opens = node.func.attr == "open" and any(
                isinstance(one, ast.Constant) and str(one.value).startswith("r") for one in node.args
            )
            assert not opens, f"{module.name}:{node.lineno}"


def test_there_are_such_modules() -> None:
    assert len(READERS) > 50
