"""Settings over a toy world in a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg3b_assets.settings import Settings
from seg3b_assets_tests.pipeline.toy_segment import toy_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return toy_settings(tmp_path)
