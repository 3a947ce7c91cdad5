"""Everything that would stop a run on an upstream root, in one go; and what is odd about it, and allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from seg3b_assets.doctor import inputs
from seg3b_assets.doctor.finding import (
    NOT_LOOKED_AT,
    ODD,
    RECEIPT,
    Finding,
    fine,
    looked,
    odd,
    of_error,
    of_seed,
)
from seg3b_assets.doctor.rehearsal import AREA, Rehearsed, rehearse
from seg3b_assets.doctor.roots import DATASETS, GATES, Root, datasets, gates, seeds_of
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.visible_text import story
from seg3b_assets.states.s0_gate.inventory import UPSTREAM
from seg3b_assets.states.s0_gate.upstream import RECEIPT_NAME, read_receipt, resolve_upstream
from seg3b_assets.store import DigestCache

if TYPE_CHECKING:
    from pathlib import Path

    from seg3b_assets.policies import PolicySet
    from seg3b_assets.progress import Progress
    from seg3b_assets.settings import Settings

_STATE: Final = re.compile(r"(?<=^E3B_)S\d_")
_RUN_LOG: Final = story("run")


def upstream(
    settings: Settings,
    place: Path,
    asked: Sequence[int],
    policies: PolicySet | None,
    progress: Progress,
) -> Iterator[Finding]:
    """Look at the worlds of some seeds.

    Args:
        place: a root, or a folder of ``seed=N`` roots.
        asked: seeds; all that lie there by default.
        policies: None where they cannot be used: what needs them is then not looked at.
    """
    try:
        seeds = asked or seeds_of(place)
    except Seg3BError as error:
        yield of_error(RECEIPT, error)
        return
    digests = DigestCache(settings.cache / "digests.json", settings.digest_cache)
    with _quiet():
        for seed in dict.fromkeys(seeds):
            try:
                root = resolve_upstream(place, seed)
                world = Root(root, read_receipt(root))
            except Seg3BError as error:
                yield from of_seed([of_error(RECEIPT, error)], seed)
                continue
            yield from of_seed(_once(_world(world, settings, policies, digests, progress)), seed)


def _world(
    root: Root, settings: Settings, policies: PolicySet | None, digests: DigestCache, progress: Progress
) -> Iterator[Finding]:
    yield fine(
        RECEIPT, "RECEIPT", str(root.path / RECEIPT_NAME), f"seed {root.world.seed}", **vars(root.world)
    )
    yield from looked(GATES, lambda: gates(root, settings.reach))
    with progress.task(f"seed {root.world.seed}: inputs", len(UPSTREAM)) as step:
        yield from looked(DATASETS, lambda: datasets(root, policies, digests, settings, step))
    geography, rehearsed = inputs.Geography(), Rehearsed()
    yield from looked(inputs.TABLES, lambda: inputs.tables(root))
    yield from looked(inputs.MAPS, lambda: inputs.maps(root, geography))
    yield from looked(inputs.COVERAGE, lambda: inputs.countries(root, geography, policies))
    with progress.task(f"seed {root.world.seed}: tiles") as step:
        yield from looked(
            inputs.TILES, lambda: inputs.tiles(root, geography, policies, settings.workers, step)
        )
    if policies is not None:
        yield from looked(AREA, lambda: rehearse(root, policies, settings.workers, progress, rehearsed))
    else:
        yield odd(AREA, NOT_LOOKED_AT, "S0 to S2", "not looked at for want of policies", "Mend them first.")
    yield from inputs.judged_tiles(root, geography, rehearsed.needed)
    report = rehearsed.documents.get("s1_run_report_3B")
    yield from looked(ODD, lambda: inputs.notes(root, geography, policies, report))


def _once(found: Iterable[Finding]) -> Iterator[Finding]:
    """Each error once, of the state that meets it first: several read the same file, and the rehearsal all of them."""
    said: dict[tuple[object, ...], Finding] = {}
    for at, one in enumerate(found):
        if (validator := one.detail.get("validator")) is None:
            said[(at,)] = one
            continue
        key = (_STATE.sub("", one.code), one.place, validator)
        if key not in said or one.code < said[key].code:
            said[key] = one
    yield from said.values()


@contextmanager
def _quiet() -> Iterator[None]:
    """What states log while they are rehearsed is said as findings."""
    before = _RUN_LOG.disabled
    _RUN_LOG.disabled = True
    try:
        yield
    finally:
        _RUN_LOG.disabled = before
