"""``python -m seg3b_assets.reference``: write the reference pages and the artefact registry of this checkout."""

from __future__ import annotations

from seg3b_assets.contracts.artefact_registry import REGISTRY_FILE
from seg3b_assets.doors import EXIT_USAGE, through_door
from seg3b_assets.reference import PAGES
from seg3b_assets.reference.pages import registry_file, with_installs
from seg3b_assets.settings import REPOSITORY
from seg3b_assets.terminal import complain

DOCS = REPOSITORY / "docs"


def main() -> int:
    """Exit code 2 where there is no checkout."""
    if not DOCS.is_dir():
        complain(f"reference pages belong to a checkout, and {REPOSITORY} has no docs/")
        return EXIT_USAGE
    folder = DOCS / "reference"
    folder.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")
    (REPOSITORY / "contracts" / REGISTRY_FILE).write_text(registry_file(), encoding="utf-8")
    consumer = DOCS / "consumer.md"
    consumer.write_text(with_installs(consumer.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    through_door(main)
