"""Every fault there is, by name."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import chain

from seg3b_assets_tests.faults.fault import Fault
from seg3b_assets_tests.faults.forged_networks import forged_network_faults
from seg3b_assets_tests.faults.forged_runs import forged_faults
from seg3b_assets_tests.faults.of_alias import alias_faults
from seg3b_assets_tests.faults.of_bundle import bundle_faults
from seg3b_assets_tests.faults.of_contract import contract_faults
from seg3b_assets_tests.faults.of_edges import edge_faults
from seg3b_assets_tests.faults.of_evidence import evidence_faults
from seg3b_assets_tests.faults.of_files import file_faults
from seg3b_assets_tests.faults.of_joined import joined_faults
from seg3b_assets_tests.faults.of_lost import lost_faults
from seg3b_assets_tests.faults.of_merchants import merchant_faults
from seg3b_assets_tests.faults.of_networks import network_faults
from seg3b_assets_tests.faults.of_numbers import number_faults
from seg3b_assets_tests.faults.of_seal import seal_faults
from seg3b_assets_tests.faults.of_tables import table_faults
from seg3b_assets_tests.faults.of_tree import tree_faults
from seg3b_assets_tests.faults.of_upstream import upstream_faults


@cache
def library() -> dict[str, Fault]:
    """Faults by name, in the order they are told."""
    found: dict[str, Fault] = {}
    for fault in chain(
        file_faults(),
        table_faults(),
        number_faults(),
        seal_faults(),
        merchant_faults(),
        joined_faults(),
        edge_faults(),
        network_faults(),
        evidence_faults(),
        alias_faults(),
        contract_faults(),
        bundle_faults(),
        tree_faults(),
        lost_faults(),
        upstream_faults(),
        forged_network_faults(),
        forged_faults(),
    ):
        # The same may be done to two datasets: the second is told with its own.
        name = f"{fault.target}: {fault.name}" if fault.name in found else fault.name
        if name in found:
            raise ValueError(f"two faults are called {name!r}")
        found[name] = replace(fault, name=name)
    return found
