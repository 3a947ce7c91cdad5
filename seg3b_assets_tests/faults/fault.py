"""What a fault is: a way to plant it, the check that names its law, and what else it may set off.

Anything that fires beyond the named check and what is listed is a wrong kind of finding, and a defect of the
audit as much as a missed fault is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seg3b_assets.audit import AuditReport
from seg3b_assets.audit.checks import in_causal_order
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.forgery import Forgery
from seg3b_assets_tests.faults.specimen import Specimen

RECEIPT: Final = "run_receipt.json"
Plant = Callable[[Tree], None]
Root = Callable[[Specimen, Path], Path]


@dataclass(frozen=True)
class Outcome:
    """What the audit made of a fault.

    Attributes:
        fired: checks that failed, the one that speaks of the fault first.
        caught: whether the check that names the law is among them.
        wrong: checks of another kind that claim the fault for themselves.
        exemplified: whether the finding shows an example.
    """

    name: str
    fired: tuple[str, ...]
    caught: bool
    wrong: tuple[str, ...]
    exemplified: bool

    @property
    def sound(self) -> bool:
        return self.caught and self.exemplified and not self.wrong


@dataclass(frozen=True)
class Fault:
    """One way to falsify a run.

    Attributes:
        name: what was done, as one would tell it.
        target: dataset, member, policy or file it was done to.
        check: the check that names the law it breaks.
        make: makes a tree with the fault, in a new folder.
        also: further checks that speak of the same fault.
        upstream: the root the tree is held against, made in the same folder; None for a tree judged alone.
    """

    name: str
    target: str
    check: str
    make: Callable[[Specimen, Path], Path]
    also: frozenset[str] = frozenset()
    upstream: Root | None = None

    def judged(self, report: AuditReport) -> Outcome:
        """What the audit made of it."""
        failed = in_causal_order(report.failed)
        ids = tuple(result.check_id for result, _ in failed)
        told = self.also | {self.check}
        wrong = tuple(one.check_id for one, follows in failed if follows is None and one.check_id not in told)
        example = next((one.example for one, _ in failed if one.check_id == self.check), None)
        return Outcome(self.name, ids, self.check in ids, wrong, bool(example))


def edited(
    target: str, name: str, check: str, plant: Plant, also: tuple[str, ...] = (), resealed: bool = True
) -> Fault:
    """A fault planted in the finished tree, with every digest of bytes put right afterwards."""

    def make(specimen: Specimen, folder: Path) -> Path:
        tree = Tree(specimen.copy(folder / "tree"))
        if target == RECEIPT:
            # Where the receipt is not to be believed, nothing but the time of a file's last change tells that it is as
            # it was, and other copies that share it by link change that.
            tree.unshare()
        plant(tree)
        if resealed:
            tree.reseal()
        return tree.root

    return Fault(name, target, check, make, frozenset(also))


def true_root(specimen: Specimen, _: Path) -> Path:
    """The world the specimen was made of."""
    return specimen.upstream


def unfaithful(target: str, name: str, check: str, change: Callable[[Path], None]) -> Fault:
    """A world whose own files no longer are what the specimen, itself untouched, was sealed from."""

    def root(specimen: Specimen, folder: Path) -> Path:
        world = specimen.copy_of_world(folder / "world")
        change(world)
        return world

    return Fault(name, target, check, lambda specimen, _: specimen.tree, upstream=root)


def forged(target: str, name: str, check: str, forgery: Forgery, also: tuple[str, ...] = ()) -> Fault:
    """A fault planted while the run was made: everything after it was computed from it, honestly."""

    def make(specimen: Specimen, folder: Path) -> Path:
        return forgery.export(specimen, folder)

    return Fault(name, target, check, make, frozenset(also))
