"""A published snapshot: one state's outputs for one key, never rewritten (storage: snapshots, heads, refs).

``snapshot.json`` inside it says what the key was made of and what each output's bytes are; it carries
no clock, no host and no process count. The key is the SHA-256 of the canonical JSON of
``KeyInputs.keyed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from seg3b_assets.laws.hashing import canonical_json, sha256_json
from seg3b_assets.store.outputs import OutputRecord, digest_on_disk, sizes_match

MANIFEST = "snapshot.json"


@dataclass(frozen=True)
class KeyInputs:
    """What a state's outputs are a function of.

    Attributes:
        state, code_version: the state's logic.
        runtime: version by package whose results could differ.
        seed: uint64.
        sealed_inputs: SHA-256 of the bytes of ``sealed_inputs_3B.json``.
        inputs: digest by logical id of what the state reads.
        sealed: digest by logical id of everything S0 sealed. Not keyed by itself (``sealed_inputs``
        covers it);
            kept so that a plan can name what changed.
    """

    state: str
    code_version: str
    runtime: Mapping[str, str]
    seed: int
    sealed_inputs: str
    inputs: Mapping[str, str]
    sealed: Mapping[str, str]

    def keyed(self) -> dict[str, Any]:
        """The JSON object whose digest is the key."""
        return {
            "state": self.state,
            "code_version": self.code_version,
            "runtime": dict(self.runtime),
            "seed": self.seed,
            "sealed_inputs": self.sealed_inputs,
            "inputs": dict(self.inputs),
        }

    @cached_property
    def key(self) -> str:
        """``state_key``: hex64."""
        return sha256_json(self.keyed())


@dataclass(frozen=True)
class Snapshot:
    """One state's published outputs.

    Attributes:
        root: folder that holds the contract tree.
        inputs: what the key was made of.
        outputs: by dataset id, in id order.
    """

    root: Path
    inputs: KeyInputs
    outputs: Mapping[str, OutputRecord]

    @property
    def state(self) -> str:
        return self.inputs.state

    @property
    def key(self) -> str:
        return self.inputs.key

    @cached_property
    def digest(self) -> str:
        """hex64 over all outputs: SHA-256 of the canonical JSON of {dataset_id: digest}."""
        return outputs_digest(self.outputs)

    def path(self, dataset_id: str) -> Path:
        """Absolute path of an output, a file or a folder."""
        return self.root / self.outputs[dataset_id].path

    def damage(self) -> str | None:
        """The first output file that is missing or has another size; None when all are as recorded."""
        for record in self.outputs.values():
            if place := sizes_match(record, self.root):
                return place
        return None

    def altered(self) -> str | None:
        """The first dataset whose bytes are no longer those published; None when all are. Reads everything."""
        for dataset_id, record in self.outputs.items():
            try:
                if digest_on_disk(record, self.root) != record.digest:
                    return dataset_id
            except OSError:
                return dataset_id
        return None


def outputs_digest(outputs: Mapping[str, OutputRecord]) -> str:
    """hex64 of the canonical JSON of {dataset_id: digest}."""
    return sha256_json({dataset_id: record.digest for dataset_id, record in outputs.items()})


def manifest_bytes(inputs: KeyInputs, outputs: Mapping[str, OutputRecord]) -> bytes:
    """The bytes of ``snapshot.json``."""
    document = {
        "key": inputs.key,
        "inputs": inputs.keyed(),
        "sealed": dict(inputs.sealed),
        "outputs": {dataset_id: record.as_json() for dataset_id, record in outputs.items()},
    }
    return canonical_json(document)


def read_snapshot(root: Path) -> Snapshot | None:
    """The snapshot at ``root``; None when there is none, or when its manifest does not describe it."""
    try:
        document = orjson.loads((root / MANIFEST).read_bytes())
        inputs = KeyInputs(**document["inputs"], sealed=document["sealed"])
        listed = document["outputs"]
        outputs = {name: OutputRecord.from_json(name, listed[name]) for name in sorted(listed)}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if inputs.key != root.name or inputs.state != root.parent.name:
        return None
    return Snapshot(root, inputs, outputs)
