"""How a state is made to lie: one of its functions replaced, or what it writes changed as it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seg3b_assets_tests.faults.fault import Fault, forged
from seg3b_assets_tests.faults.forgery import Forgery

Wrap = Callable[[Any], Any]


def lie(name: str, check: str, function: str, wrap: Wrap, *also: str) -> Fault:
    return forged(
        function.partition(":")[0].rpartition(".")[2],
        f"{name}, and all that follows",
        check,
        Forgery(functions={function: wrap}),
        also,
    )


def write(name: str, check: str, dataset: str, change: Wrap, *also: str) -> Fault:
    return forged(dataset, f"{name}, and all that follows", check, Forgery(writes={dataset: change}), also)


def changed(change: Wrap) -> Wrap:
    """A function whose result goes through ``change``."""
    return lambda true: lambda *given, **named: change(true(*given, **named))
