"""Six small states over a toy world, so that running is tested without computing the real thing.

The toy world is a folder: ``run_receipt.json`` and one upstream file, ``tiles``. Policies are any files of a
folder. Each state writes something derived from what it reads; ``toy_segment`` swaps a state's code version
or its function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.pipeline import Segment
from seg3b_assets.settings import Settings
from seg3b_assets.states.context import StateContext, StateSpec
from seg3b_assets.states.registry import RegisteredState
from seg3b_assets.store import DigestCache
from seg3b_assets_tests.store.toy_contracts import FINGERPRINT, PARAMETERS, toy_contract, toy_edges


@dataclass(frozen=True)
class ToyPolicyFile:
    path: Path
    content: bytes

    @property
    def sha256(self) -> str:
        return sha256_hex(self.content)


@dataclass(frozen=True)
class ToyLane:
    seeds: tuple[int, ...] = (42, 7)
    prune_before_run: bool = False


@dataclass(frozen=True)
class ToyLanes:
    witness: ToyLane = ToyLane()
    shadow: ToyLane = ToyLane((7,), True)


@dataclass(frozen=True)
class ToyRetention:
    keep: tuple[str, ...] = ("heads", "baseline", "candidate", "last_good", "certification")


@dataclass(frozen=True)
class ToyCertification:
    seeds: tuple[int, ...] = (42, 7)
    lanes: ToyLanes = ToyLanes()
    retention: ToyRetention = ToyRetention()


@dataclass(frozen=True)
class ToyPolicies:
    files: dict[str, ToyPolicyFile]
    certification: ToyCertification = ToyCertification()


@dataclass(frozen=True)
class ToyInputs:
    root: Path
    sealed: list[dict[str, Any]]
    entries: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ToySealed:
    world: WorldIdentity
    sealed_inputs: list[dict[str, Any]]
    inputs: ToyInputs

    @property
    def sealed_bytes(self) -> bytes:
        return canonical_json(self.sealed_inputs)


def load_toy_policies(folder: Path) -> ToyPolicies:
    return ToyPolicies(
        {path.stem: ToyPolicyFile(path, path.read_bytes()) for path in sorted(folder.iterdir())}
    )


def seal_toy(root: Path, policies: ToyPolicies, digests: DigestCache, reach: object = None) -> ToySealed:
    receipt = orjson.loads((root / "run_receipt.json").read_bytes())
    paths = {name: file.path for name, file in policies.files.items()} | {"tiles": root / "tiles"}
    rows = [
        {"logical_id": name, "artefact_kind": "dataset", "sha256_hex": digests.file(paths[name])}
        for name in sorted(paths)
    ]
    world = WorldIdentity(receipt["seed"], PARAMETERS, FINGERPRINT, "2026-01-01T00:00:00.000000Z")
    return ToySealed(world, rows, ToyInputs(root, rows))


def run_s0(context: StateContext) -> None:
    context.out.document("sealed_inputs_3B", context.inputs.sealed)


def run_s1(context: StateContext) -> None:
    context.out.table("virtual_classification_3B", toy_edges(30))
    context.out.table("virtual_settlement_3B", toy_edges(3))


def run_s2(context: StateContext) -> None:
    classes = context.published.table("virtual_classification_3B")
    with context.lanes("tile_assign"):
        context.out.table("edge_catalogue_3B", toy_edges(classes.height * 10), rows_per_part=100)
    seed = context.identity.seed
    for name in ("rng_event_edge_jitter_3B", "rng_event_edge_tile_assign_3B"):
        context.out.lines(name, (b'{"seed":%d}\n' % seed for _ in range(300)))


def run_s3(context: StateContext) -> None:
    digest = context.published.digest("edge_catalogue_3B")
    context.out.blob("edge_alias_blob_3B", bytes.fromhex(digest) + bytes(1 << 16))


def run_s4(context: StateContext) -> None:
    context.out.document(
        "virtual_routing_policy_3B", {"blob": context.published.digest("edge_alias_blob_3B")}
    )


def run_s5(context: StateContext) -> None:
    evidence = {name: context.published.digest(name) for name in context.published.dataset_ids}
    manifest = canonical_json(evidence)
    context.out.member("validation_bundle_3B", "manifest.json", manifest)
    context.out.member("validation_bundle_3B", "index.json", b"{}")
    context.out.blob("passed_flag_3B", f"sha256_hex = {sha256_hex(manifest)}\n".encode())


def _spec(name: str, reads: tuple[str, ...], writes: tuple[str, ...]) -> StateSpec:
    return StateSpec(name, "1.0.0", reads, writes, f"make {writes[0]}")


EDGE_OUTPUTS = ("edge_catalogue_3B", "rng_event_edge_jitter_3B", "rng_event_edge_tile_assign_3B")
CLASSES = "virtual_classification_3B"
TOY_STATES = (
    RegisteredState(_spec("S0", (), ("sealed_inputs_3B",)), run_s0),
    RegisteredState(_spec("S1", ("rules",), (CLASSES, "virtual_settlement_3B")), run_s1),
    RegisteredState(_spec("S2", ("topology", "tiles", CLASSES), EDGE_OUTPUTS), run_s2),
    RegisteredState(_spec("S3", ("edge_catalogue_3B",), ("edge_alias_blob_3B",)), run_s3),
    RegisteredState(_spec("S4", ("edge_alias_blob_3B",), ("virtual_routing_policy_3B",)), run_s4),
    RegisteredState(
        _spec(
            "S5",
            ("sealed_inputs_3B", CLASSES, *EDGE_OUTPUTS, "edge_alias_blob_3B", "virtual_routing_policy_3B"),
            ("validation_bundle_3B", "passed_flag_3B"),
        ),
        run_s5,
    ),
)


def _changed(entry: RegisteredState, change: str | Callable[[StateContext], None] | None) -> RegisteredState:
    if isinstance(change, str):
        return replace(entry, spec=replace(entry.spec, code_version=change))
    return entry if change is None else replace(entry, run=change)


def toy_segment(**changed: str | Callable[[StateContext], None]) -> Segment:
    """The toy segment; ``S2="1.1.0"`` gives S2 another code version, ``S2=function`` another body."""
    states = [_changed(entry, changed.get(entry.spec.name)) for entry in TOY_STATES]
    return Segment(
        states=tuple(states),
        seal=seal_toy,
        load_policies=load_toy_policies,
        upstream_root=lambda settings, seed, progress: settings.upstream / f"seed={seed}",
        contracts=toy_contract,
    )


def toy_settings(folder: Path, seeds: tuple[int, ...] = (42,)) -> Settings:
    """A home, two policies and an upstream root per seed, below ``folder``."""
    policies = folder / "policies"
    policies.mkdir(parents=True)
    (policies / "rules.yaml").write_text("rules: 1\n")
    (policies / "topology.yaml").write_text("topology: 1\n")
    for seed in seeds:
        root = folder / "upstream" / f"seed={seed}"
        root.mkdir(parents=True)
        (root / "run_receipt.json").write_bytes(orjson.dumps({"seed": seed}))
        (root / "tiles").write_bytes(b"tiles of %d" % seed)
    return replace(
        Settings.from_environment(),
        home=folder / "home",
        policies=policies,
        upstream=folder / "upstream",
        cache=folder / "cache",
        workers=1,
    )
