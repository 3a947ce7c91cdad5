"""The laws' known answers, figure by figure."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seg3b_assets.laws.alias import build_tables, encode_slice, quantise
from seg3b_assets.laws.identity import RunIdentity, WorldIdentity
from seg3b_assets.laws.randomness import (
    EDGE_JITTER,
    EDGE_TILE_ASSIGN,
    Stream,
    country_codes,
    draw_position,
    edge_address,
    jitter_index,
    philox2x64,
    unit_interval,
)
from seg3b_assets.states.s2_edges.catalogue import edge_ids
from seg3b_assets.states.s3_alias import universe_hash

KNOWN: dict[str, Any] = json.loads((Path(__file__).parent / "known_answers.json").read_text())
CREATED = "2026-01-01T00:00:00.000000Z"


def world_of(row: dict[str, Any]) -> WorldIdentity:
    return WorldIdentity(row["seed"], row["parameter_hash"], row["manifest_fingerprint"], CREATED)


def test_philox_of_zero_key_and_counter() -> None:
    zero = np.zeros(1, np.uint64)
    words = [f"{int(word[0]):016x}" for word in philox2x64(0, zero, zero)]
    assert words == KNOWN["philox_zero"]


@pytest.mark.parametrize("row", KNOWN["streams"], ids=lambda row: row["label"])
def test_stream_words_and_uniforms(row: dict[str, Any]) -> None:
    stream = Stream.of(world_of(row), row["label"])
    x0, x1 = stream.words([row["merchant_id"]], [row["index"]])
    assert f"{stream.key:016x}" == row["key"]
    assert (f"{int(x0[0]):016x}", f"{int(x1[0]):016x}") == (row["x0"], row["x1"])
    assert (repr(float(unit_interval(x0)[0])), repr(float(unit_interval(x1)[0]))) == (row["u0"], row["u1"])


@pytest.mark.parametrize("row", KNOWN["edge_addresses"], ids=lambda row: row["country_iso"])
def test_edge_addresses(row: dict[str, Any]) -> None:
    world, merchant = world_of(row), np.array([row["merchant_id"]], np.uint64)
    codes = country_codes([row["country_iso"]])
    address = edge_address(codes, row["slot"])
    index = jitter_index(address, row["attempt"])
    x0, x1 = Stream.of(world, EDGE_JITTER).words(merchant, index)
    tile = Stream.of(world, EDGE_TILE_ASSIGN).words(merchant, address)[0]
    assert (int(codes[0]), int(address[0]), int(index[0])) == (row["cc"], row["address"], row["jitter_index"])
    assert (f"{int(x0[0]):016x}", f"{int(x1[0]):016x}") == (row["jitter_x0"], row["jitter_x1"])
    assert (repr(float(unit_interval(x0)[0])), repr(float(unit_interval(x1)[0]))) == (
        row["u_lon"],
        row["u_lat"],
    )
    assert f"{int(tile[0]):016x}" == row["tile_x0"]
    assert int(draw_position(tile, np.uint64(1_000_000))[0]) == row["tile_position_for_W_1000000"]


@pytest.mark.parametrize("row", KNOWN["edge_id"], ids=lambda row: str(row["edge_seq_index"]))
def test_edge_id(row: dict[str, Any]) -> None:
    merchant, seq = np.array([row["merchant_id"]], np.uint64), np.array([row["edge_seq_index"]], np.int64)
    assert edge_ids(merchant, seq).to_list() == [row["edge_id"]]


@pytest.mark.parametrize(
    "row", KNOWN["alias"], ids=lambda row: f"{len(row['weights'])}@{row['quantised_bits']}"
)
def test_alias_slice_to_the_byte(row: dict[str, Any]) -> None:
    lengths = np.array([len(row["weights"])], np.int64)
    masses = quantise(np.array(row["weights"]), lengths, row["quantised_bits"])
    tables = build_tables(masses, lengths, row["quantised_bits"])
    encoded = encode_slice(tables.prob_q, tables.alias)
    assert masses.tolist() == row["masses"]
    assert tables.prob_q.tolist() == row["prob_q"]
    assert tables.alias.tolist() == row["alias"]
    assert encoded.hex() == row["slice_hex"]
    assert hashlib.sha256(encoded).hexdigest() == row["checksum"]


def test_universe_hash() -> None:
    row = dict(KNOWN["universe_hash"])
    assert universe_hash({k: v for k, v in row.items() if k != "universe_hash"}) == row["universe_hash"]


def test_run_id() -> None:
    row = KNOWN["run_id"]
    identity = RunIdentity(
        row["seed"], row["parameter_hash"], row["manifest_fingerprint"], CREATED, row["sealed_inputs_digest"]
    )
    assert identity.run_id == row["run_id"]
