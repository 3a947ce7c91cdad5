"""Reference pages, generated: contracts, policies, metrics and gates, audit checks, commands.

Each page is a pure function of the schemas, models and registries it documents; ``python -m
seg3b_assets.reference`` writes them to ``docs/reference/``, and a test fails when a page there is another.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from seg3b_assets.reference.pages import check_page, command_page, contract_page, metric_page
from seg3b_assets.reference.policy_page import policy_page

PAGES: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        "contracts.md": contract_page,
        "policies.md": policy_page,
        "metrics.md": metric_page,
        "checks.md": check_page,
        "commands.md": command_page,
    }
)

__all__ = ["PAGES"]
