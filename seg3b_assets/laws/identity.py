"""Who a run is: seed and upstream identity, and the run_id derived from them (law section 0)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from seg3b_assets.laws.hashing import le64, sha256_raw

HEX64 = re.compile(r"[a-f0-9]{64}")
RFC3339_MICROS = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")
UINT64_MAX = 2**64 - 1
# In their order; S5 audits those before it.
STATES: Final = ("S0", "S1", "S2", "S3", "S4", "S5")
AUDITED_STATES: Final = STATES[: STATES.index("S5")]
STATES_AFTER_AUDIT: Final = STATES[STATES.index("S5") + 1 :]


@dataclass(frozen=True)
class WorldIdentity:
    """What upstream's receipt says it is.

    Attributes:
        seed: uint64, the partition.
        parameter_hash, manifest_fingerprint: hex64, given by upstream, never recomputed here.
        created_utc: rfc3339_micros; the only clock an output may carry.
    """

    seed: int
    parameter_hash: str
    manifest_fingerprint: str
    created_utc: str

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= UINT64_MAX:
            raise ValueError(f"seed {self.seed} is not a uint64")
        for name in ("parameter_hash", "manifest_fingerprint"):
            if not HEX64.fullmatch(getattr(self, name)):
                raise ValueError(f"{name} is not 64 lower-case hex digits")
        if not RFC3339_MICROS.fullmatch(self.created_utc):
            raise ValueError("created_utc is not YYYY-MM-DDTHH:MM:SS.ffffffZ")


@dataclass(frozen=True)
class RunIdentity(WorldIdentity):
    """A world's identity together with the digest of what S0 sealed from it."""

    sealed_inputs_digest: str

    @property
    def run_id(self) -> str:
        """hex32: first 16 bytes of SHA256("3B.RUN" ‖ LE64 seed ‖ parameter_hash ‖ fingerprint ‖ sealed)."""
        message = (
            b"3B.RUN"
            + le64(self.seed)
            + bytes.fromhex(self.parameter_hash)
            + bytes.fromhex(self.manifest_fingerprint)
            + bytes.fromhex(self.sealed_inputs_digest)
        )
        return sha256_raw(message)[:16].hex()
