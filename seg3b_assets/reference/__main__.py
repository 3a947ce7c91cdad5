"""``python -m seg3b_assets.reference``: write the reference pages and the artefact registry of this checkout."""

from seg3b_assets.contracts.artefact_registry import REGISTRY_FILE
from seg3b_assets.reference import PAGES
from seg3b_assets.reference.registry_file import registry_file
from seg3b_assets.settings import REPOSITORY

FOLDER = REPOSITORY / "docs" / "reference"
FOLDER.mkdir(parents=True, exist_ok=True)
for name, page in PAGES.items():
    (FOLDER / name).write_text(page(), encoding="utf-8")
(REPOSITORY / "contracts" / REGISTRY_FILE).write_text(registry_file(), encoding="utf-8")
