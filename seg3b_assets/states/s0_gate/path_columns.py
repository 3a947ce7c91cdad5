"""Columns of upstream's tables that repeat whose world a row is of: seed, fingerprint, parameter hash.

A file in the right folder may still be another world's. What its own columns say is held against the root's receipt,
dataset by dataset, before anything is read from it. A tile's country is held against its file's name where a state
reads the file: a surface has hundreds of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from seg3b_assets.contracts import contract
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.tables import read_frame, read_schema
from seg3b_assets.inputs.sealed import SealedInput
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.states.s0_gate.inventory import UPSTREAM

if TYPE_CHECKING:
    from seg3b_assets.store.digest_cache import DigestCache

# Column: what of the world it repeats. 1A calls the seed global_seed.
REPEATED: Final[Mapping[str, str]] = {
    "seed": "seed",
    "global_seed": "seed",
    "manifest_fingerprint": "manifest_fingerprint",
    "parameter_hash": "parameter_hash",
}
_EXAMPLES: Final = 5
# Raise its number where another answer may be given of the same bytes: answers are remembered.
_RULE: Final = "path columns 1"


def require_path_columns(
    world: WorldIdentity, sealed: Mapping[str, SealedInput], digests: DigestCache
) -> None:
    """Refuse a dataset one of whose columns names another world; what was found sound is not read again.

    Args:
        sealed: by the segment's own id.

    Raises:
        Seg3BError: the first of ``path_column_errors``.
    """

    def judge(own_id: str) -> None:
        for error in path_column_errors(world, {own_id: sealed[own_id]}):
            raise error

    rule = f"{_RULE} {sha256_json({name: getattr(world, name) for name in REPEATED.values()})}"
    for own_id in sorted(sealed.keys() & {artefact.own_id for artefact in UPSTREAM}):
        digests.held(rule, sealed[own_id].location, partial(judge, own_id))


def path_column_errors(world: WorldIdentity, sealed: Mapping[str, SealedInput]) -> Iterator[Seg3BError]:
    """Every column that names another world: ``IDENTITY_MISMATCH`` with file, column, what is expected and found.

    Args:
        sealed: by the segment's own id.
    """
    for artefact in UPSTREAM:
        declared = contract(artefact.own_id)
        entry = sealed.get(artefact.own_id)
        columns = {*declared.polars_schema, *declared.optional_columns} if declared.is_table else set[str]()
        if entry is None or declared.format == "csv" or columns.isdisjoint(REPEATED):
            continue
        for file in _files(entry.location, declared.files):
            for column, found in _repeated(file):
                yield from _foreign(world, file, column, found)


def _files(location: Path, pattern: str) -> list[Path]:
    return sorted(location.glob(pattern)) if location.is_dir() else [location]


def _repeated(file: Path) -> Iterator[tuple[str, list[Any]]]:
    """(column, its distinct values) of a file; a file that cannot be read is its reader's to refuse."""
    try:
        schema = read_schema(file)
        wanted = [name for name in REPEATED if name in schema and _comparable(schema[name])]
        frame = read_frame(file, wanted)
    except UnreadableTableError:
        return
    for name in wanted:
        yield name, frame[name].unique().sort().to_list()


def _comparable(dtype: pl.DataType) -> bool:
    """Whether values can be compared; of another type the contract speaks, where the table is read."""
    return dtype.is_integer() or dtype in (pl.String(), pl.Categorical())


def _foreign(world: WorldIdentity, file: Path, column: str, found: list[Any]) -> Iterator[Seg3BError]:
    expected = getattr(world, REPEATED[column])
    # As text: a seed above 2^63 may be in a signed or an unsigned column.
    others = [value for value in found if str(value) != str(expected)]
    if others:
        yield fail(
            "path_column",
            f"{file}:{column}",
            "Take the file of this world: its folder is, its rows are of another one.",
            in_state="S0",
            column=column,
            expected=expected,
            found=others[:_EXAMPLES],
            values=len(found),
        )
