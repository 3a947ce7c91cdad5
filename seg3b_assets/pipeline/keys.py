"""What a state's key is made of (storage: ``state_key``).

A key holds the sealed-inputs digest, so any policy's or upstream's bytes change every key; it holds the
digests, not the keys, of what earlier states published, so a code change that yields the same bytes
stops there.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import metadata

from seg3b_assets.pipeline.segment import SealedSeed
from seg3b_assets.states.context import StateSpec
from seg3b_assets.store import KeyInputs

RUNTIME_PACKAGES = ("polars", "pyarrow", "numpy", "scipy", "shapely", "tzdata")


@cache
def runtime_versions() -> Mapping[str, str]:
    """Versions whose change could change a result: packages, and the GEOS inside shapely."""
    import shapely  # noqa: PLC0415 - the one import a plan or a reuse would not need otherwise

    versions = {name: metadata.version(name) for name in RUNTIME_PACKAGES}
    return {**versions, "geos": shapely.geos_version_string}


def key_inputs(spec: StateSpec, sealed: SealedSeed, published: Mapping[str, str]) -> KeyInputs:
    """The key inputs of a state.

    Args:
        published: digest by dataset id of what earlier states of the lineage published.
    """
    known = {**sealed.digests, **published}
    return KeyInputs(
        state=spec.name,
        code_version=spec.code_version,
        runtime=runtime_versions(),
        seed=sealed.identity.seed,
        sealed_inputs=sealed.identity.sealed_inputs_digest,
        inputs={name: known[name] for name in spec.reads if name in known},
        sealed=sealed.digests,
    )
