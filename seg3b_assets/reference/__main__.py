"""``python -m seg3b_assets.reference``: write the reference pages of this checkout."""

from seg3b_assets.reference import PAGES
from seg3b_assets.settings import REPOSITORY

FOLDER = REPOSITORY / "docs" / "reference"
FOLDER.mkdir(parents=True, exist_ok=True)
for name, page in PAGES.items():
    (FOLDER / name).write_text(page(), encoding="utf-8")
