"""What a contract check returns: findings as data, and the one way to turn them into a failure.

A check never raises and never prints; it returns ``Violation`` records. ``require_frame`` and
``require_document`` are for the places where a finding ends the state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from seg3b_assets.laws.errors import Seg3BError

if TYPE_CHECKING:
    import polars as pl

    from seg3b_assets.contracts.dictionary import DatasetContract

SHOWN: Final = 8


@dataclass(frozen=True)
class Violation:
    """One rule that does not hold.

    Attributes:
        rule: JSON Schema keyword (``pattern``, ``enum``, ``minimum`` …) or one of ``missing_column``,
            ``unknown_column``, ``column_order``, ``dtype``, ``null``, ``finite``, ``unique``, ``sort``; of a
            table's file ``codec``, ``statistics``.
        column: column of a table, columns joined by a comma for keys and order, JSON pointer of a document.
        count: rows or values at fault.
        example: one case: ``{"row": 0-based row, "value": …}`` for a table, the value for a document.
        expected: what the contract asks for, in words.
    """

    rule: str
    column: str
    count: int
    example: Any
    expected: str

    def record(self) -> dict[str, Any]:
        """The finding as a JSON object."""
        return asdict(self)


def require_frame(
    contract: DatasetContract, frame: pl.DataFrame, *, state: str, name: str, place: str
) -> pl.DataFrame:
    """The frame itself when it keeps its contract.

    Args:
        contract: what the frame must keep.
        frame: the table; columns and dtypes as ``contract.polars_schema`` has them.
        state, name: of the error raised otherwise, as ``Seg3BError`` takes them.
        place: where the frame was read or is to be written.

    Raises:
        Seg3BError: with every violation's rule, count and example in its detail.
    """
    _require(contract, contract.check_frame(frame), state, name, place)
    return frame


def require_document(contract: DatasetContract, value: Any, *, state: str, name: str, place: str) -> Any:
    """The value itself when it keeps its contract; arguments and error as in ``require_frame``."""
    _require(contract, contract.check_document(value), state, name, place)
    return value


def _require(
    contract: DatasetContract, violations: Sequence[Violation], state: str, name: str, place: str
) -> None:
    if not violations:
        return
    first = violations[0]
    raise Seg3BError(
        state=state,
        name=name,
        validator=f"contract_{first.rule}",
        place=f"{place}:{first.column}" if first.column else place,
        remedy=f"Make {first.column or 'the document'} {first.expected}, as {contract.schema_ref} has it.",
        detail={
            "dataset_id": contract.id,
            "violations_total": len(violations),
            "violations": [violation.record() for violation in violations[:SHOWN]],
        },
    )
