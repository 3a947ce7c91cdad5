"""Which refs a finished run or certification moves: the one place where that is decided.

A run of the configured posture (or one told to ``--promote``) moves ``candidate``. A certification of it moves
``candidate`` too, and, when its verdict is PASS_B or PASS_BPLUS, ``certification`` and ``last_good``. Other
policies or another upstream move nothing: such lineages are looked at, and a person may pin them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

from seg3b_assets.locks import shared
from seg3b_assets.store.failures import reported_writes
from seg3b_assets.store.holders import run_lock
from seg3b_assets.store.leases import leased
from seg3b_assets.store.mirror import remote_of
from seg3b_assets.store.refs import RefName, Refs
from seg3b_assets.store.runs import Runs

Moves: TypeAlias = Mapping[RefName, Mapping[int, str]]


def after_run(lineages: Mapping[int, str], in_force: bool) -> Moves:
    """The moves of runs that published whole lineages.

    Args:
        lineages: lineage id by seed.
        in_force: whether the runs put their snapshots in force (``Settings.moves_heads``).
    """
    return {"candidate": lineages} if in_force else {}


def after_certification(lineages: Mapping[int, str], passed: bool, in_force: bool) -> Moves:
    """The moves of a certification.

    Args:
        lineages: lineage id by seed, of the seeds that reached S5.
        passed: whether the verdict over all seeds is PASS_B or PASS_BPLUS.
        in_force: as for ``after_run``.
    """
    if not in_force or not passed:
        return after_run(lineages, in_force)
    return {"candidate": lineages, "certification": lineages, "last_good": lineages}


def move_refs(home: Path, moves: Moves) -> tuple[RefName, ...]:
    """Carry the moves out, each ref's at once; refs of other seeds stay. Idempotent.

    A lineage whose record a prune has removed meanwhile is not pinned: a ref to it would keep nothing.

    Returns:
        The refs that changed.

    Raises:
        Seg3BError: OUTPUT_WRITE_FAILED; INPUT_OPEN_FAILED for a ref that cannot be read.
    """
    if not moves:
        return ()
    refs, runs = Refs(home), Runs(home)
    moved: list[RefName] = []
    with reported_writes("S5", home), ExitStack() as held:
        held.enter_context(shared(run_lock(home)))  # no prune between looking and moving
        remote = remote_of(home)
        if remote is not None:
            held.enter_context(leased(remote, "refs being moved"))
        for name, lineages in moves.items():
            kept = {seed: one for seed, one in lineages.items() if runs.read(one) is not None}
            if kept and refs.move(name, kept):
                moved.append(name)
    return tuple(moved)
