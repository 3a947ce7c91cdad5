"""An exported tree at a URL: the files first, ``run_receipt.json`` created last.

The receipt is the instant of publication: a tree without one is not an export yet. ``.export`` names the lineage
whose files are being put there, so that an export that died is taken up by the next one of the same lineage, and
refused to any other. Nothing there is ever deleted but that mark.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from seg3b_assets.contracts import contract
from seg3b_assets.store.export import RECEIPT, Export, export_run, holds_more, target_taken
from seg3b_assets.store.packs import staged_folder
from seg3b_assets.store.remote import Remote

if TYPE_CHECKING:
    from seg3b_assets.store.export_inputs import Root
    from seg3b_assets.store.home import Store
    from seg3b_assets.store.runs import KeptRun

MARK: Final = ".export"


def export_run_to_url(store: Store, run: KeptRun, upstream: Root, url: str, force: bool = False) -> Export:
    """Put a lineage's tree at a URL.

    Args:
        run, upstream: as for ``export_run``.
        url: below which nothing lies, or an earlier export of the same lineage, finished or not.
        force: put the tree there although what its receipt does not list lies there, too; that stays.

    Raises:
        Seg3BError: as ``export_run``; OUTPUT_WRITE_FAILED when something else lies there, and of a store that
            cannot be written: the receipt does not exist then, unless it did before.
    """
    remote = Remote(url)
    _require_free(remote, run)
    with staged_folder(store.home, "export") as scratch:
        made = export_run(store, run, upstream, scratch / "tree")
        written = _upload(remote, Path(made.place), run, force)
    return replace(made, place=remote.url, written=written)


def _require_free(remote: Remote, run: KeptRun) -> None:
    if not remote.entries(""):
        return
    for name in (contract(RECEIPT).path, MARK):
        found = remote.read(name)
        if found is not None:
            try:
                if orjson.loads(found.content)["lineage_id"] == run.lineage_id:
                    return
            except (ValueError, KeyError, TypeError):
                pass
            break
    raise target_taken(remote.url, run)


def _upload(remote: Remote, tree: Path, run: KeptRun, force: bool) -> bool:
    name = contract(RECEIPT).path
    receipt = (tree / name).read_bytes()
    sizes = {file["path"]: file["size_bytes"] for file in orjson.loads(receipt)["files"]}
    there = {entry.path: entry.bytes for entry in remote.entries("")}
    present = remote.read(name)
    if present is not None and present.content != receipt:
        raise target_taken(remote.url, run)  # of other upstream bytes under the same lineage
    unlisted = sorted(there.keys() - sizes.keys() - {name, MARK}) if present is not None else []
    if unlisted and not force:
        raise holds_more(remote.url, unlisted, "leaves")
    if present is not None and {path: size for path, size in there.items() if path in sizes} == sizes:
        return False
    remote.put(MARK, orjson.dumps({"lineage_id": run.lineage_id}))
    remote.upload({path: tree / path for path in sizes})
    if not remote.create(name, receipt) and (found := remote.read(name)) and found.content != receipt:
        raise target_taken(remote.url, run)
    remote.remove([MARK])
    return True
