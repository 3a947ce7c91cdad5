"""An overlay says what differs from its base; what counts is the base with that in its place."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.policies import POLICY_MODELS
from seg3b_assets.policies.folders import policy_digests
from seg3b_assets.policies.keyed import differences, same
from seg3b_assets.policies.overlay import merged, overlaid_text
from seg3b_assets.policies.strict_yaml import Document, YamlRefusedError, parse_document
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets_tests.policies.spoiling import SHIPPED, as_yaml

BASELINE = SHIPPED / "baseline"
RULES = b"""\
# What it is.
policy_id: mcc_channel_rules   # a name
rules:
# The first.
- rule_id: ONE
  propensity: 0.5   # half
  match:
    mcc: [1, 2]
    channel: card_present
# The second.
- rule_id: TWO
  propensity: 1
jurisdictions:
  - {country_iso: "IE", weight: 4}
  - {country_iso: "NL", weight: 2}
  # Malta.
  - {country_iso: "MT", weight: 1}
empty:
last: {a: 1, b: [1, 2]}
"""


def overlay(folder: Path, base: str = "shipped", **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "overlay.yaml").write_text(f"base: {base}\n")
    for policy_id, text in files.items():
        (folder / f"{policy_id}.yaml").write_text(text)
    return folder


def over(base: bytes, text: str) -> tuple[str, Any]:
    """The merged text and its value."""
    old, new = parse_document(base), merged(parse_document(base), parse_document(text.encode()))
    written = overlaid_text(base.decode(), old.value, new.value, 1).decode()
    assert same(parse_document(written.encode()).value, new.value)
    return written, new.value


def test_the_baseline_is_the_shipped_set_but_for_what_it_says() -> None:
    flat, shipped = load_policies(BASELINE), load_policies(SHIPPED)
    assert flat.overlaid is not None and flat.overlaid.base == "shipped"
    changed = {change["policy"] for change in flat.overlaid.changes}
    assert changed == {path.stem for path in BASELINE.glob("*.yaml")} - {"overlay"}
    for policy_id in POLICY_MODELS:
        assert (getattr(flat, policy_id) == getattr(shipped, policy_id)) is (policy_id not in changed)
        file = flat.files[policy_id]
        assert file.sha256 == hashlib.sha256(file.content).hexdigest()
        assert (file.content == shipped.files[policy_id].content) is (policy_id not in changed)
        assert file.overlaid is (policy_id in changed)
        assert flat.digest_again(file.path) == file.sha256
    assert shipped.overlaid is None


def test_what_an_overlay_makes_is_a_policy_folder_like_any_other(tmp_path: Path) -> None:
    flat = load_policies(BASELINE)
    for file in flat.files.values():
        (tmp_path / file.relative_path).write_bytes(file.content)
    written = load_policies(tmp_path)
    for policy_id in POLICY_MODELS:
        assert getattr(written, policy_id) == getattr(flat, policy_id)
        assert written.files[policy_id].sha256 == flat.files[policy_id].sha256
    assert written.overlaid is None
    assert policy_digests(tmp_path, POLICY_MODELS) == policy_digests(BASELINE, POLICY_MODELS)


def test_comments_of_the_base_stay_and_only_what_differs_is_another_line() -> None:
    flat = load_policies(BASELINE).files["edge_topology"].content.decode().splitlines()[1:]
    shipped = (SHIPPED / "edge_topology.yaml").read_text().splitlines()
    differing = [(was, now) for was, now in zip(shipped, flat, strict=True) if was != now]
    assert 15 < len(differing) < 25
    assert not any("#" in row for rows in differing for row in rows)


def test_the_text_is_pinned() -> None:
    """Its digest is sealed, so it may not change unless a base or an overlay does."""
    text, _ = over(
        RULES, "rules:\n  ONE: {propensity: 1.0e-7, match: {channel: null}}\n  TWO: null\nempty: Yes\n"
    )
    assert text.splitlines()[1:] == [
        "# What it is.",
        "policy_id: mcc_channel_rules   # a name",
        "rules:",
        "# The first.",
        "- rule_id: ONE",
        "  propensity: 1.0e-07   # half",
        "  match:",
        "    mcc: [1, 2]",
        "jurisdictions:",
        '  - {country_iso: "IE", weight: 4}',
        '  - {country_iso: "NL", weight: 2}',
        "  # Malta.",
        '  - {country_iso: "MT", weight: 1}',
        'empty: "Yes"',
        "last: {a: 1, b: [1, 2]}",
    ]


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("last: {a: 2}\n", "last", {"a": 2, "b": [1, 2]}),
        ("last: {b: [3]}\n", "last", {"a": 1, "b": [3]}),
        ("last: {b: null, c: {d: [x]}}\n", "last", {"a": 1, "c": {"d": ["x"]}}),
        ("last: {a: null, b: null}\n", "last", {}),
        ("empty: {deep: [1]}\n", "empty", {"deep": [1]}),
        ("jurisdictions: {NL: null, MT: {weight: 9}, CY: {weight: 3}}\n", "jurisdictions",
         [{"country_iso": "IE", "weight": 4}, {"country_iso": "MT", "weight": 9}, {"country_iso": "CY", "weight": 3}]),
        ("jurisdictions: [{country_iso: MT, weight: 1}, {country_iso: IE, weight: 2}]\n", "jurisdictions",
         [{"country_iso": "MT", "weight": 1}, {"country_iso": "IE", "weight": 2}]),
        ("jurisdictions: []\n", "jurisdictions", []),
        ("rules: [1, 2]\n", "rules", [1, 2]),
        ("rules: {ONE: null, TWO: null}\n", "rules", []),
        ("rules: {ONE: null, THREE: {propensity: 2}}\n", "rules",
         [{"rule_id": "TWO", "propensity": 1}, {"rule_id": "THREE", "propensity": 2}]),
        ("rules: {TWO: {match: {mcc: [7]}, propensity: null}}\n", "rules",
         [{"rule_id": "ONE", "propensity": 0.5, "match": {"mcc": [1, 2], "channel": "card_present"}},
          {"rule_id": "TWO", "match": {"mcc": [7]}}]),
        ("new: {text: \"a: b # 'c'\\x7f\\u2028\", no: NO, ten: 10, half: 0.5, true: true}\n", "new",
         {"text": "a: b # 'c'\x7f\u2028", "no": "NO", "ten": 10, "half": 0.5, "true": True}),
    ],
)  # fmt: skip
def test_keys_are_merged_entries_named_lists_replaced_and_null_takes_out(
    text: str, key: str, value: Any
) -> None:
    written, found = over(RULES, text)
    assert same(found[key], value)
    assert {name: inner for name, inner in found.items() if name != key} == {
        name: inner for name, inner in parse_document(RULES).value.items() if name != key
    }
    assert "# What it is." in written


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("ruels: null\n", ("ruels",)),
        ("rules: {THREE: null}\n", ("rules", "THREE")),
        ("last: {c: null}\n", ("last", "c")),
    ],
)
def test_nothing_is_taken_out_that_is_not_there(text: str, at: tuple[str, ...]) -> None:
    with pytest.raises(YamlRefusedError) as caught:
        over(RULES, text)
    assert (caught.value.validator, caught.value.path, caught.value.line) == ("overlay_takes_out", at, 1)


def test_an_overlay_that_changes_nothing_is_its_base_to_the_byte(tmp_path: Path) -> None:
    same_values = overlay(
        tmp_path, tz_nudge="# Nothing.\npolicy_id: tz_nudge\n", edge_topology="budget: {median: 500}\n"
    )
    policies = load_policies(same_values)
    assert policies.overlaid is not None and not policies.overlaid.changes
    assert {name: file.sha256 for name, file in policies.files.items()} == {
        name: file.sha256 for name, file in load_policies(SHIPPED).files.items()
    }


def test_an_overlay_over_an_overlay(tmp_path: Path) -> None:
    folder = overlay(tmp_path, str(BASELINE), edge_topology="edge_weights: {law: dirichlet}\n")
    policies = load_policies(folder)
    assert policies.edge_topology.edge_weights.law == "dirichlet"
    assert policies.edge_topology.budget.sigma == 0
    assert policies.virtual_validation.realism_enforcement_mode == "observe"
    assert policies.overlaid is not None
    assert [change["key"] for change in policies.overlaid.changes] == ["edge_weights.law"]
    assert all(policies.digest_again(file.path) == file.sha256 for file in policies.files.values())


def test_a_base_is_named_by_its_path_from_the_overlay(tmp_path: Path) -> None:
    for name in POLICY_MODELS:
        (tmp_path / f"{name}.yaml").write_bytes((SHIPPED / f"{name}.yaml").read_bytes())
    (tmp_path / "tz_nudge.yaml").write_text((SHIPPED / "tz_nudge.yaml").read_text() + "# mine\n")
    what_if = load_policies(overlay(tmp_path / "what-if", "..", edge_topology="budget: {sigma: 0.1}\n"))
    assert what_if.files["tz_nudge"].content.endswith(b"# mine\n")
    assert what_if.edge_topology.budget.sigma == 0.1


@pytest.mark.parametrize(
    ("base", "allowed"),
    [
        ("nowhere", "the path of a policy folder"),
        (".", "another policy folder"),
        ("overlay.yaml", "path"),
        ("circle", "path"),
        ("3", ""),
    ],
)
def test_a_base_that_is_none_is_refused(tmp_path: Path, base: str, allowed: str) -> None:
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(Seg3BError) as caught:
        load_policies(overlay(tmp_path, base))
    assert (caught.value.place, caught.value.detail["line"]) == ("overlay.yaml:base", 1)
    assert allowed in caught.value.detail["allowed"]


def test_overlays_in_a_circle_are_refused(tmp_path: Path) -> None:
    overlay(tmp_path / "one", "../two")
    overlay(tmp_path / "two", "../one")
    with pytest.raises(Seg3BError) as caught:
        load_policies(tmp_path / "one")
    assert caught.value.place == "overlay.yaml:base"


def test_a_mark_is_closed(tmp_path: Path) -> None:
    overlay(tmp_path)
    (tmp_path / "overlay.yaml").write_text("bse: shipped\n")
    with pytest.raises(Seg3BError) as caught:
        load_policies(tmp_path)
    assert {entry["key"] for entry in caught.value.detail["errors"]} == {"base", "bse"}


def test_without_a_mark_a_folder_is_whole_and_the_mark_is_no_policy_of_a_strangers_tree(
    tmp_path: Path,
) -> None:
    folder = overlay(tmp_path, edge_topology="budget: {sigma: 0.1}\n")
    with pytest.raises(Seg3BError) as caught:
        load_policies(folder, lacking=SHIPPED)
    assert (caught.value.validator, caught.value.place) == ("policy_file_unknown", "overlay.yaml")
    (folder / "overlay.yaml").unlink()
    with pytest.raises(Seg3BError) as caught:
        load_policies(folder)
    assert caught.value.validator == "policy_file_missing"


def test_an_export_that_lacks_policies_finds_them_in_an_overlay(tmp_path: Path) -> None:
    carried = tmp_path / "carried"
    carried.mkdir()
    (carried / "tz_nudge.yaml").write_bytes((SHIPPED / "tz_nudge.yaml").read_bytes())
    found, flat = load_policies(carried, lacking=BASELINE), load_policies(BASELINE)
    assert found.edge_topology == flat.edge_topology
    assert found.files["edge_topology"].sha256 == flat.files["edge_topology"].sha256
    assert found.files["tz_nudge"].path == carried / "tz_nudge.yaml"


def test_a_mistake_in_an_overlay_is_named_by_its_own_line(tmp_path: Path) -> None:
    folder = overlay(tmp_path, edge_topology="# One.\nbudget:\n  sigma: 0.1\n  sigmma: 2\n")
    with pytest.raises(Seg3BError) as caught:
        load_policies(folder)
    assert (caught.value.place, caught.value.detail["line"]) == ("edge_topology.yaml:budget.sigmma", 4)
    assert caught.value.detail["suggestion"] == "sigma"
    overlay(tmp_path, edge_topology="budget: {sigmma: null}\n")
    with pytest.raises(Seg3BError) as caught:
        load_policies(folder)
    assert caught.value.validator == "overlay_takes_out" and "did you mean sigma?" in caught.value.remedy


def test_a_rule_of_an_overlay_is_named_by_its_place_in_the_whole(tmp_path: Path) -> None:
    rule = load_policies(SHIPPED).mcc_channel_rules.rules[5].rule_id
    folder = overlay(tmp_path, mcc_channel_rules=f"rules:\n  {rule}:\n    propensity: 7\n")
    with pytest.raises(Seg3BError) as caught:
        load_policies(folder)
    assert (caught.value.place, caught.value.detail["line"]) == (
        "mcc_channel_rules.yaml:rules[5].propensity",
        3,
    )
    assert caught.value.detail["item"] == f"rule_id={rule}"


LEAF = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(0, 1), st.text(max_size=4))
NAMES = st.sampled_from(["a", "bb", "no", "c d", "é"])
TREE = st.recursive(
    LEAF,
    lambda child: st.lists(child, max_size=3) | st.dictionaries(NAMES, child, max_size=3),
    max_leaves=8,
)


def _entries(ids: list[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Entries of these ids, in this order, whatever else is in them."""
    rest = st.tuples(*(st.dictionaries(NAMES, TREE, max_size=2) for _ in ids))
    return rest.map(lambda found: [{"rule_id": name, **one} for name, one in zip(ids, found, strict=True)])


IDS = st.lists(st.sampled_from(["ONE", "TWO", "SIX", "TEN"]), unique=True, max_size=4)
VALUES = st.dictionaries(NAMES, TREE | IDS.flatmap(_entries), min_size=1, max_size=4)


@settings(max_examples=300, deadline=None)
@given(old=VALUES, new=VALUES, style=st.sampled_from(["flow", "block"]))
def test_whatever_differs_the_text_says_the_new_value(
    old: dict[str, Any], new: dict[str, Any], style: str
) -> None:
    base = as_yaml(old) if style == "flow" else _in_block(old)
    try:
        assume(same(parse_document(base.encode()).value, old))
    except YamlRefusedError:
        reject()
    assert same(parse_document(overlaid_text(base, old, new, 1)).value, new)


def _in_block(value: Any) -> str:
    """Block style with a comment above every line, as people write."""
    text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False)
    return "".join(
        f"{' ' * (len(row) - len(row.lstrip()))}# about\n{row}" for row in text.splitlines(keepends=True)
    )


def test_a_text_that_says_something_else_is_never_sealed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("seg3b_assets.policies.overlay._Edits.applied", lambda edits: edits.text)
    with pytest.raises(Seg3BError) as caught:
        load_policies(BASELINE)
    assert caught.value.validator == "overlay_text"


@pytest.mark.parametrize(
    "base", ["? a\n: 1\nb: 2\n", "---\na: 1\nb: 2\n...\n", "a: 1\r\nb: 2\r\n", "{a: 1, b: 2}"]
)
def test_an_odd_way_to_write_a_base_is_read_too(base: str) -> None:
    for new in ({"b": 3}, {"a": 1, "b": 2, "c": [4]}, {"a": [1], "b": {"x": 1}}):
        text = overlaid_text(base, {"a": 1, "b": 2}, new, 1)
        assert same(parse_document(text).value, new)


def test_differences_are_told_as_deep_as_both_sides_have_them() -> None:
    old, new = (
        parse_document(RULES).value,
        merged(
            parse_document(RULES),
            parse_document(b"rules: {ONE: null, TWO: {propensity: 1.0}}\nlast: {c: 1}\n"),
        ).value,
    )
    assert [(key, was if key != "rules[ONE]" else "…", now) for key, was, now in differences(old, new)] == [
        ("rules[ONE]", "…", None),
        ("rules[TWO].propensity", 1, 1.0),
        ("last.c", None, 1),
    ]


def test_the_lines_of_a_document_are_the_overlays() -> None:
    document: Document = merged(parse_document(RULES), parse_document(b"rules:\n  TWO:\n    propensity: 3\n"))
    assert document.line(("rules", 1, "propensity")) == 3
    assert document.line(("last",)) is None
