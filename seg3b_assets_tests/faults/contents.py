"""Bytes that somebody else wrote: noise, JSON of any shape, sound files with pieces cut, doubled or replaced."""

from __future__ import annotations

import orjson
from hypothesis import strategies as st

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
).map(lambda value: orjson.dumps(value, default=str))
BYTES = st.binary(max_size=200) | _JSON.filter(lambda data: len(data) < 10_000)


def spoilt(sound: bytes) -> st.SearchStrategy[bytes]:
    """A sound file with a piece cut out, doubled, turned round or replaced; mostly in its footer."""
    anywhere = st.integers(0, len(sound)) | st.integers(max(len(sound) - 3000, 0), len(sound))
    piece = st.tuples(anywhere, anywhere, st.binary(max_size=8), st.integers(0, 3))

    def with_piece(drawn: tuple[int, int, bytes, int]) -> bytes:
        first, last = sorted(drawn[:2])
        middle = (b"", sound[first:last] * 2, sound[first:last][::-1], drawn[2])[drawn[3]]
        return sound[:first] + middle + sound[last:]

    return piece.map(with_piece)
