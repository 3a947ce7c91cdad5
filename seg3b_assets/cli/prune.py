"""``seg3b prune``: remove what nothing that is kept reaches."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from seg3b_assets.cli.options import AsJson, Debug, Home, Policies, settings_from
from seg3b_assets.cli.reporting import console, print_json, reported
from seg3b_assets.wording import number, size

if TYPE_CHECKING:
    from seg3b_assets.screen import Screen
    from seg3b_assets.store.layout import Unreached

_WIDTH = 110
_SMALL = {"build": "what snapshots cost to compute", "policy": "files"}


def prune(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would go; remove nothing.")] = False,
    home: Home = None,
    policies: Policies = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Remove runs, snapshots, certifications and leftovers that no kept pointer reaches.

    What is kept is the certification policy's retention.keep: the heads and refs it names. Refused while a run
    holds the home (exit 3). With --json: {prune_id, kept{lineage_id: [pointer]}, removed[{kind, place, bytes,
    about}], bytes, held_by[…], strays[…], strays_total}; strays are files that are none of ours, in the home or the
    cache: they stay, and the first hundred are named.
    """
    with reported(as_json, debug):
        settings = settings_from(home=home, policies=policies)
        from seg3b_assets.certification.retention import prune as prune_home
        from seg3b_assets.certification.retention import rehearse_prune
        from seg3b_assets.laws.clipping import ENTRIES
        from seg3b_assets.pipeline import default_segment
        from seg3b_assets.store import Store
        from seg3b_assets.store.layout import strays_of_cache

        segment = context.obj or default_segment()
        keep = segment.load_policies(settings.policies).certification.retention.keep
        store, screen = Store(settings.home, segment.contracts), console(_WIDTH)

        def list_first(listed: Sequence[Unreached]) -> None:
            if not as_json:
                _show(listed, screen)

        done = rehearse_prune(store, keep) if dry_run else prune_home(store, keep, list_first)
        stray_in_cache = [str(settings.cache / place) for place in strays_of_cache(settings.cache)]
        found = [*done.strays, *stray_in_cache]
        strays = found[:ENTRIES]
        if as_json:
            print_json({**done.as_json(), "strays": strays, "strays_total": len(found)})
            return
        if dry_run:
            list_first(done.removed)
        verb = "would free" if dry_run else "freed"
        screen.print(f"{len(done.removed)} things, {verb} {size(done.bytes)}")
        for holder in done.held_by:
            screen.print(f"the home is in use, a prune would be refused now: {holder}")
        for place in strays:
            screen.print(f"not ours, left where it is: {place}")
        if len(found) > len(strays):
            screen.print(f"not ours, left where it is: {number(len(found) - len(strays))} more")
        if done.prune_id:
            screen.print(f"record  {store.backend.place(f'prunes/{done.prune_id}.json')}")


def _show(listed: Sequence[Unreached], screen: Screen) -> None:
    from seg3b_assets.screen import Table

    if not listed:
        screen.print("everything is reached by a kept pointer")
        return
    table = Table("kind", "size", "what", "about")
    for one in listed:
        if one.kind in _SMALL:
            continue
        place = one.place.split("/", 1)[1]
        about = f"seed {one.about['seed']}, {one.about['finished_utc'][:19]}Z" if "seed" in one.about else ""
        table.add_row(one.kind, size(one.bytes), _short(place), about)
    for kind, told in _SMALL.items():
        if sizes := [one.bytes for one in listed if one.kind == kind]:
            table.add_row(kind, size(sum(sizes)), f"{told}: {len(sizes)}", "")
    screen.print(table)


def _short(place: str) -> str:
    """A place below its kind's folder, digests cut to twelve digits."""
    return "/".join(part[:12] if len(part) >= 64 else part for part in place.split("/"))
