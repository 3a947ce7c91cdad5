"""Places by name: one way to write each, and a refusal that repeats no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.locations import folder_of, is_url, object_url, scheme_of
from seg3b_assets.settings import SettingError, Settings
from seg3b_assets.store.backend import home_at


@pytest.mark.parametrize(
    ("given_", "written"),
    [
        ("s3://bucket", "s3://bucket"),
        ("S3://bucket/", "s3://bucket"),
        ("s3://bucket//a///b/", "s3://bucket/a/b"),
        ("s3://bucket/a%62c", "s3://bucket/abc"),
        ("s3://bucket/a b", "s3://bucket/a%20b"),
        ("s3://bucket/a%20b", "s3://bucket/a%20b"),
        ("GS://b/x", "gs://b/x"),
        ("memory://m", "memory://m"),
        ("s3://bucket/ä", "s3://bucket/%C3%A4"),
    ],
)
def test_a_url_is_written_one_way(given_: str, written: str) -> None:
    assert object_url(given_) == object_url(written) == written


@given(st.text(min_size=1))
def test_writing_is_done_once_whatever_the_path(text: str) -> None:
    try:
        url = object_url(f"s3://bucket/{text}")
    except ValueError as refused:
        assert "control character" in str(refused) or "://…" in str(refused)
        return
    assert object_url(url) == url
    assert url.isascii()


@pytest.mark.parametrize(
    "text",
    [
        "s3://",
        "s3:///path",
        "ftp://host/x",
        "s3://key:secret@bucket/x",
        "s3://bucket/x?token=secret",
        "s3://bucket/x#secret",
        "s3://bucket/a/../secret",
        "s3://bucket/%2e%2e/secret",
        "s3://bucket/secret%00",
        "s3://bucket/secret\x1b",
        "s3://bucket/secret%ff",
        "s3://[bucket/secret",
    ],
)
def test_what_is_no_place_for_objects_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="://") as refused:
        object_url(text)
    assert "secret" not in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "text", ["file:///a%00b", "file:///a%0ab", "file://host/a", "file://", "file:///a?b", "FILE:a"]
)
def test_a_file_url_that_names_no_folder_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="file://"):
        folder_of(text)


def test_a_file_url_is_a_folder_in_whatever_letters(tmp_path: Path) -> None:
    for text in (f"file://{tmp_path}/a%20b", f"FILE://localhost{tmp_path}/a b"):
        assert home_at(text, tmp_path / "cache") == tmp_path / "a b"


def test_a_path_is_no_url() -> None:
    assert not any(is_url(text) for text in ("a/b", "/a://b", "./s3://b", "a:b", "://x", "1s://x"))
    assert scheme_of("a/b") == ""


def test_one_place_has_one_mirror(tmp_path: Path) -> None:
    homes = {
        home_at(text, tmp_path) for text in ("s3://bucket/home", "S3://bucket//home/", "s3://bucket/h%6fme")
    }
    assert len(homes) == 1


@pytest.mark.parametrize("name", ["UPSTREAM", "POLICIES", "CACHE", "GAZETTEER"])
@pytest.mark.parametrize("url", ["s3://key:secret@bucket/x", "S3://bucket", "https://secret", "file:///x"])
def test_a_folder_that_is_a_url_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"SEG3B_{name}", url)
    with pytest.raises(SettingError, match=f"SEG3B_{name} is a URL") as refused:
        Settings.from_environment()
    assert "secret" not in str(refused.value)
    monkeypatch.delenv(f"SEG3B_{name}")
    with pytest.raises(SettingError, match=f"--{name.lower()} is a URL"):
        Settings.from_environment(**{name.lower(): url})


@pytest.mark.parametrize("home", ["file:///x%00y", "s3://bucket/x%00", "a\0b"])
def test_a_home_no_system_can_have_is_a_setting_in_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError):
        Settings.from_environment(home=home, cache=tmp_path)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "soon"])
def test_a_wait_that_is_no_time_is_a_setting_in_error(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SEG3B_LOCK_WAIT_S", text)
    with pytest.raises(SettingError, match="SEG3B_LOCK_WAIT_S"):
        Settings.from_environment()
