"""``python -m seg3b_assets.cli``."""

from seg3b_assets.cli import app

app()
