"""YAML that could say other than it seems to is refused, with its line."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.policies.strict_yaml import MAX_BYTES, YamlRefusedError, parse_document, parse_foreign


@pytest.mark.parametrize(
    ("text", "validator", "line"),
    [
        ("a: &x 1\n", "yaml_anchor", 1),
        ("a: 1\nb: &x [1]\n", "yaml_anchor", 2),
        ("&k a: 1\n", "yaml_anchor", 1),
        ("a: 1\nb: *a\n", "yaml_alias", 2),
        ("a: !!int 1\n", "yaml_tag", 1),
        ("a: !!python/object/apply:os.system ['true']\n", "yaml_tag", 1),
        ("!local {a: 1}\n", "yaml_tag", 1),
        ("a: 1\nb: {c: 1, c: 2}\n", "yaml_duplicate_key", 2),
        ("a: 1\na: 2\n", "yaml_duplicate_key", 2),
        ("a: .nan\n", "yaml_finite_number", 1),
        ("a: -.inf\n", "yaml_finite_number", 1),
        ("a: 1e999\n", "yaml_finite_number", 1),
        ("a: 1\n---\nb: 2\n", "yaml_documents", 2),
        ("a: [1, 2\n", "yaml_syntax", 2),
        ("a:\n\t- 1\n", "yaml_syntax", 2),
        ("? [a, b]\n: 1\n", "yaml_key", 1),
        ("- 1\n", "yaml_mapping", 1),
        ("just text\n", "yaml_mapping", 1),
        ("", "yaml_mapping", None),
        ("# only a comment\n", "yaml_mapping", None),
    ],
)
def test_refused_with_its_line(text: str, validator: str, line: int | None) -> None:
    with pytest.raises(YamlRefusedError) as caught:
        parse_document(text.encode())
    assert (caught.value.validator, caught.value.line) == (validator, line)


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(YamlRefusedError) as caught:
        parse_document(b"a: 1\nb: \xff\n")
    assert (caught.value.validator, caught.value.line) == ("yaml_encoding", 2)


def test_a_file_too_large_is_refused_unparsed() -> None:
    with pytest.raises(YamlRefusedError) as caught:
        parse_document(b"a" * (MAX_BYTES + 1))
    assert caught.value.validator == "yaml_size"


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(YamlRefusedError) as caught:
        parse_document(b"a: " + b"[" * 500 + b"]" * 500)
    assert caught.value.validator == "yaml_depth"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("off", "off"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("0742", "0742"),
        ("1e-7", 1e-7),
        (".5", 0.5),
        ("-3", -3),
        ("true", True),
        ("null", None),
        ("", None),
        ("1.0.0", "1.0.0"),
        ('"3"', "3"),
        ("'true'", "true"),
    ],
)
def test_plain_scalars_mean_what_they_look_like(text: str, value: object) -> None:
    read = parse_document(f"a: {text}\n".encode()).value["a"]
    assert read == value
    assert type(read) is type(value)


def test_lines_are_kept_by_key_path() -> None:
    document = parse_document(b"a:\n  b: 1\n  c:\n    - x: 1\n    - x: 2\n")
    assert document.line(("a", "c", 1, "x")) == 5
    assert document.line(("a", "c", 1, "absent")) == 5
    assert document.line(("absent",)) == 1


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        parse_document(data)
    except YamlRefusedError as error:
        assert error.allowed


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("- 1\n- a\n", [1, "a"]),
        ("7\n", 7),
        ("a: &x [1, 2]\nb: *x\n", {"a": [1, 2], "b": [1, 2]}),
        ("&r {a: &x 1, b: [*x, *x]}\n", {"a": 1, "b": [1, 1]}),
        ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n", {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}),
        (
            "- &x {p: 1}\n- &y {p: 2, q: 2}\n- {<<: [*x, *y]}\n",
            [{"p": 1}, {"p": 2, "q": 2}, {"p": 1, "q": 2}],
        ),
    ],
)
def test_another_segments_document_may_have_aliases_and_any_shape(text: str, value: object) -> None:
    assert parse_foreign(text.encode()) == value
    assert parse_foreign(text.encode()) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "validator", "line"),
    [
        ("a: *x\n", "yaml_alias", 1),
        ("a: &x\n  b: *x\n", "yaml_alias", 2),
        ("a: 1\n<<: 2\n", "yaml_merge", 2),
        ("a: !!set {b}\n", "yaml_tag", 1),
        ("*x : 1\n", "yaml_key", 1),
    ],
)
def test_another_segments_document_is_refused_with_its_line(text: str, validator: str, line: int) -> None:
    with pytest.raises(YamlRefusedError) as caught:
        parse_foreign(text.encode())
    assert (caught.value.validator, caught.value.line) == (validator, line)


@given(st.binary(max_size=60))
def test_no_bytes_of_another_segment_raise_anything_else(data: bytes) -> None:
    try:
        parse_foreign(data)
    except YamlRefusedError as error:
        assert error.allowed


@given(st.text(alphabet="ab:-[]{},&* <\n", max_size=40))
def test_what_looks_like_yaml_raises_nothing_else(text: str) -> None:
    try:
        parse_foreign(text.encode())
    except YamlRefusedError as error:
        assert error.allowed
