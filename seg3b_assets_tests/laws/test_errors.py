"""The catalogue of errors: each rule is one code of one state, and every rule that is named is in it, and raised."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import seg3b_assets
from seg3b_assets.laws.errors import (
    ANY,
    ANY_STATE,
    OF_STATE,
    RULES,
    BlockedError,
    HeldError,
    Seg3BError,
    fail,
)

PRODUCT = Path(seg3b_assets.__file__).parent
STATES = ("S0", "S1", "S2", "S3", "S4", "S5")
# Rules whose code is of the data: of the dataset that was written, of what is wrong with an input.
OF_SEVERAL_CODES = {"output_contract", "sealed_input_kept"}


def calls() -> Iterator[tuple[str, ast.Call, dict[str, str]]]:
    """Every ``fail(…)`` of the product, with its module and the texts that module names."""
    for path in sorted(PRODUCT.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        texts = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.AnnAssign | ast.Assign) and isinstance(node.value, ast.Constant)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "fail":
                yield path.relative_to(PRODUCT).as_posix(), node, texts


def rule_of(call: ast.Call, texts: dict[str, str]) -> str | None:
    first = call.args[0]
    if isinstance(first, ast.Constant):
        return str(first.value)
    return texts.get(first.id) if isinstance(first, ast.Name) else None


def test_state_and_code_are_the_catalogues() -> None:
    error = fail("ref_readable", "refs/candidate.json", "Set it again.", reason="no JSON")
    assert error.code == "E3B_S0_INPUT_OPEN_FAILED"
    assert error == error and type(error) is Seg3BError
    assert (
        error.record()
        == Seg3BError(
            "S0",
            "INPUT_OPEN_FAILED",
            "ref_readable",
            "refs/candidate.json",
            "Set it again.",
            {"reason": "no JSON"},
        ).record()
    )


def test_a_rule_of_several_states_says_where_it_was_broken() -> None:
    codes = {state: fail("zone_in_tz_database", "x", "y", in_state=state).name for state in ("S1", "S2")}
    assert codes == {"S1": "TZID_INVALID", "S2": "TZ_ASSET_INVALID"}
    assert {fail("csv_readable", "x", "y", in_state=state).state for state in STATES} == set(STATES)


@pytest.mark.parametrize(
    ("rule", "state"),
    [("no_such_rule", None), ("csv_readable", None), ("zone_in_tz_database", None), ("csv_readable", ANY)],
)
def test_what_the_catalogue_does_not_say_is_nobodys_error(rule: str, state: str | None) -> None:
    with pytest.raises(ValueError, match="catalogue"):
        fail(rule, "x", "y", in_state=state)
    with pytest.raises(ValueError, match="catalogue"):
        fail("zone_in_tz_database", "x", "y", in_state="S5")


def test_facts_may_have_any_name() -> None:
    facts = {"rule": 1, "place": 2, "remedy": 3, "state": 4}
    assert fail("ref_readable", "x", "y", **facts).detail == facts


@pytest.mark.parametrize(("rule", "kind"), [("home_unused", HeldError), ("blocking_row_holds", BlockedError)])
def test_what_is_caught_by_kind_is_of_it_also_after_a_journey(rule: str, kind: type[Seg3BError]) -> None:
    error = fail(rule, "x", "y", a=1)
    for one in (error, pickle.loads(pickle.dumps(error)), replace(error, remedy="z")):
        assert type(one) is kind
        assert (one.validator, one.detail) == (rule, {"a": 1})


def test_every_code_of_the_catalogue_is_one_of_the_law() -> None:
    for codes in RULES.values():
        for state, name in codes.items():
            assert name in ANY_STATE or (state != ANY and name in OF_STATE[state])


def test_every_rule_is_named_somewhere_and_every_name_is_a_rule() -> None:
    named = {(module, rule_of(call, texts)) for module, call, texts in calls()}
    assert {rule for _, rule in named} == set(RULES)


def test_an_error_is_made_without_the_catalogue_only_where_its_rule_is_of_the_data() -> None:
    named = {
        rule.value
        for path in PRODUCT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Seg3BError"
        for rule in (*node.args[2:3], *(one.value for one in node.keywords if one.arg == "validator"))
        if isinstance(rule, ast.Constant)
    }
    assert named == OF_SEVERAL_CODES


def test_a_rule_of_several_states_is_given_one() -> None:
    for module, call, texts in calls():
        codes = RULES[str(rule_of(call, texts))]
        given = [keyword for keyword in call.keywords if keyword.arg == "in_state"]
        assert bool(given) == (len(codes) > 1 or ANY in codes), f"{module}:{call.lineno}"
