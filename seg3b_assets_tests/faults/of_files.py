"""Faults of files as such, the same for every dataset: gone, empty, cut short, written another way.

Generated from the contracts, so that a dataset cannot be added without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from seg3b_assets.audit.checks import audited_datasets
from seg3b_assets.contracts import contract
from seg3b_assets_tests.faults import edits
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.fault import Fault, edited
from seg3b_assets_tests.faults.implied import of_bytes, of_rows

_CUT: dict[str, edits.Bytes] = {"an empty file": edits.nothing, "cut in half": edits.halved}
_WRITTEN_OTHERWISE: dict[str, edits.Bytes] = {
    "a newline more": edits.one_more_byte,
    "a byte order mark": edits.with_byte_order_mark,
    "Windows line ends": edits.with_carriage_returns,
    "keys in another order": edits.with_keys_reversed,
    "a key given twice": edits.with_first_key_repeated,
    "an unknown key": edits.with_unknown_key,
    "text for a digest": edits.with_bad_fingerprint,
}
_TRIED_EVERYWHERE = (edits.with_first_key_repeated, edits.with_unknown_key)


def file_faults() -> Iterator[Fault]:
    """Faults of every audited dataset's bytes."""
    for dataset in audited_datasets():
        declared = contract(dataset)
        if declared.format in ("json", "json_indented"):
            yield from _unreadable(dataset)
            yield from _of_document(dataset, indented=declared.format == "json_indented")
        elif declared.format == "parquet":
            yield from _unreadable(dataset)
        elif declared.format == "parquet_parts":
            yield from _of_parts(dataset)


def _of_document(dataset: str, indented: bool) -> Iterator[Fault]:
    ways = dict(_WRITTEN_OTHERWISE)
    schema = contract(dataset).schema
    ways["a key missing"] = edits.without_key(min(schema.get("items", schema)["required"]))
    ways["laid out for machines" if indented else "laid out for people"] = (
        edits.compacted if indented else edits.indented
    )
    # What only the bytes can show is one rule for every document: each way is tried on every third of them.
    turn = audited_datasets().index(dataset)
    for number, (name, change) in enumerate(ways.items()):
        if (number + turn) % 3 and change not in _TRIED_EVERYWHERE:
            continue
        also = of_bytes(dataset)
        if change is edits.with_bad_fingerprint:
            also = (*also, f"{contract(dataset).producer}.{dataset}.identity", "tree.identity")
        yield edited(dataset, f"{dataset}: {name}", _own(dataset), _bytes(dataset, change), also)


def _unreadable(dataset: str) -> Iterator[Fault]:
    for name, change in _CUT.items():
        yield edited(dataset, f"{dataset}: {name}", _own(dataset), _bytes(dataset, change), of_bytes(dataset))
    yield edited(
        dataset, f"{dataset}: gone", "tree.datasets", _gone(dataset), (*of_rows(dataset), _own(dataset))
    )


def _of_parts(dataset: str) -> Iterator[Fault]:
    for name, change in _CUT.items():
        yield edited(dataset, f"{dataset}: {name}", _own(dataset), _bytes(dataset, change), of_bytes(dataset))
    also = of_rows(dataset)
    yield edited(dataset, f"{dataset}: a part gone", "S2.part_files", _gone(dataset), also)


def _own(dataset: str) -> str:
    return f"{contract(dataset).producer}.{dataset}.contract"


def _bytes(dataset: str, change: edits.Bytes) -> Callable[[Tree], None]:
    return lambda tree: tree.data(dataset, change)


def _gone(dataset: str) -> Callable[[Tree], None]:
    def remove(tree: Tree) -> None:
        tree.touched.add(dataset)
        tree.file(dataset).unlink()

    return remove
