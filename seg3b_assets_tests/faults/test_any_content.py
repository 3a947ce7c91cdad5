"""Properties: whatever a file of a tree holds, the audit says so and a router refuses or routes; nothing breaks."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from seg3b_assets.consume import Router, open_run
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets_tests.faults.contents import BYTES, spoilt
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.exporting import examine
from seg3b_assets_tests.faults.specimen import Specimen

pytestmark = pytest.mark.e2e

_ROUTED = (
    "edge_alias_blob_3B",
    "edge_alias_index_3B",
    "edge_catalogue_3B",
    "virtual_routing_policy_3B",
    "virtual_settlement_3B",
)


def _tried(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@_tried(40)
@given(st.data())
def test_other_content_of_any_file_is_found_and_breaks_no_auditor(
    specimen: Specimen, data: st.DataObject
) -> None:
    files = sorted(path for path in specimen.tree.rglob("*") if path.is_file() and path.stat().st_size)
    path = data.draw(st.sampled_from(files))
    sound = path.read_bytes()
    other = st.sampled_from(files).map(Path.read_bytes)
    content = data.draw(spoilt(sound) | BYTES | other)
    assume(content != sound)
    with tempfile.TemporaryDirectory() as place:
        tree = Tree(specimen.copy(Path(place) / "tree"))
        relative = path.relative_to(specimen.tree)
        tree.replace(tree.root / relative, content)
        failed = [result.check_id for result in examine(tree.root, specimen.policies).failed]
        assert failed, relative
        assert "S5.examination" not in failed, relative


@_tried(120)
@given(st.data())
def test_a_router_of_an_unsealed_run_refuses_or_routes(specimen: Specimen, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        tree = Tree(specimen.copy(Path(place) / "tree"))
        dataset = data.draw(st.sampled_from(_ROUTED))
        sound = tree.file(dataset).read_bytes()
        tree.replace(tree.file(dataset), data.draw(spoilt(sound) | BYTES))
        try:
            router = Router.of(open_run(tree.root, check_seal=False))
            drawn = router.draw(np.repeat(router.merchant_id, 3))
        except Seg3BError as error:
            assert error.remedy
        else:
            assert drawn.min(initial=0) >= 0
            assert drawn.max(initial=0) < router.edges.height
