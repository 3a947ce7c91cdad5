"""Lineages exported: which ones a person named, and the upstream root each was sealed from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import fail
from seg3b_assets.pipeline.segment import upstream_root
from seg3b_assets.progress import Progress
from seg3b_assets.settings import Settings
from seg3b_assets.store import Runs, Store
from seg3b_assets.store.export import Export, export_run
from seg3b_assets.store.export_inputs import Root
from seg3b_assets.store.runs import KeptRun
from seg3b_assets.store.targets import UnknownTargetError, resolve_target

RECEIPT = "run_receipt.json"


def export(
    settings: Settings,
    target: str,
    seeds: tuple[int, ...],
    dest: str,
    progress: Progress,
    force: bool = False,
) -> list[Export]:
    """Export the lineages ``target`` names: one of them as ``dest``, several as ``dest/seed=N`` each.

    Args:
        target: as ``resolve_target`` reads it.
        seeds: of those, only these; all when empty.
        dest: a path, or a URL of an object store.
        force: into an earlier export although a person has put something into it.

    Raises:
        UnknownTargetError: nothing goes by that name, or has none of these seeds.
        Seg3BError: as ``store.export.export_run``; IDENTITY_MISMATCH when no upstream root is the run's.
    """
    store = Store(settings.home, contract)
    found = resolve_target(store, target)
    lineages = found.of_seeds(seeds).lineages
    absent = [seed for seed in seeds if seed not in lineages]
    if absent:
        held = ", ".join(map(str, found.lineages))
        raise UnknownTargetError(f"{found.label} has no seed {absent[0]}; it has {held}")
    runs = Runs(settings.home)
    exports = []
    for seed, lineage_id in sorted(lineages.items()):
        run = runs.read(lineage_id)
        if run is None:
            raise UnknownTargetError(f"{found.label} names lineage {lineage_id[:12]}, which has no record")
        place = dest if len(lineages) == 1 else f"{dest.rstrip('/')}/seed={seed}"
        root = sealed_root(settings, run, progress)
        recorded = run.document.get("upstream") if settings.upstream is None else None
        reach = replace(settings, upstream=Path(str(recorded))).reach if recorded else settings.reach
        exports.append(export_run(store, run, Root(root, reach), place, force))
    return exports


def sealed_root(settings: Settings, run: KeptRun, progress: Progress) -> Path:
    """The upstream root a run was sealed from: the one asked for, else the recorded one, else a cached world.

    Raises:
        Seg3BError: IDENTITY_MISMATCH when the root is another world.
    """
    recorded = run.document.get("upstream")
    if settings.upstream is None and recorded is None:
        cached = sorted(settings.cache.glob(f"world/*/seed={run.seed}"))
        for root in cached:
            if _fingerprint(root) == run.manifest_fingerprint:
                return root
    elif settings.upstream is None:
        settings = Settings.from_environment(
            home=settings.home, cache=settings.cache, upstream=Path(str(recorded))
        )
    root = upstream_root(settings, run.seed, progress)
    found = _fingerprint(root)
    if found != run.manifest_fingerprint:
        raise fail(
            "upstream_of_run",
            str(root),
            "Name the upstream root the run was sealed from with --upstream.",
            run=run.manifest_fingerprint,
            found=found,
        )
    return root


def _fingerprint(root: Path) -> Any:
    try:
        return orjson.loads((root / RECEIPT).read_bytes())["manifest_fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
