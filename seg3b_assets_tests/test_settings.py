"""Settings: environment, defaults, overrides, and which runs count as configured."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg3b_assets.settings import SettingError, Settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "POLICIES", "UPSTREAM", "CACHE", "WORLD_RESOLUTION", "WORLD_MERCHANTS", "WORKERS"):
        monkeypatch.delenv(f"SEG3B_{name}", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.chdir(tmp_path)


def test_defaults_work_in_a_fresh_clone(tmp_path: Path) -> None:
    settings = Settings.from_environment()
    assert settings.home == tmp_path / ".seg3b"
    assert settings.cache == tmp_path / "caches" / "seg3b"
    assert (settings.policies / "edge_topology.yaml").name in {p.name for p in settings.policies.iterdir()}
    assert settings.upstream is None
    assert (settings.recipe.resolution_deg, settings.recipe.merchants) == (0.1, 10_000)
    assert settings.workers >= 1
    assert settings.moves_heads


def test_the_environment_is_the_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEG3B_HOME", "here")
    monkeypatch.setenv("SEG3B_UPSTREAM", str(tmp_path))
    monkeypatch.setenv("SEG3B_WORLD_RESOLUTION", "1")
    monkeypatch.setenv("SEG3B_WORLD_MERCHANTS", "500")
    monkeypatch.setenv("SEG3B_WORKERS", "3")
    settings = Settings.from_environment()
    assert (settings.home, settings.upstream, settings.workers) == (tmp_path / "here", tmp_path, 3)
    assert (settings.recipe.resolution_deg, settings.recipe.merchants) == (1.0, 500)
    assert settings.configured


@pytest.mark.parametrize(
    ("overrides", "configured"),
    [
        ({"home": "other", "workers": 1, "digest_cache": False}, True),
        ({"policies": None, "upstream": None}, True),
        ({"policies": "elsewhere"}, False),
        ({"upstream": "elsewhere"}, False),
        ({"merchants": 20}, False),
        ({"resolution_deg": 0.1}, True),
    ],
)
def test_other_inputs_than_the_configured_ones_are_noticed(
    overrides: dict[str, object], configured: bool
) -> None:
    assert Settings.from_environment(**overrides).configured is configured
    assert Settings.from_environment(**overrides, promote=True).moves_heads


@pytest.mark.parametrize(
    ("name", "value"), [("SEG3B_WORKERS", "0"), ("SEG3B_WORKERS", "x"), ("SEG3B_WORLD_RESOLUTION", "fine")]
)
def test_a_variable_of_the_wrong_type_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=f"{name}={value}"):
        Settings.from_environment()


def test_worlds_may_lie_on_another_disk_than_the_cache(tmp_path: Path) -> None:
    (tmp_path / "disk" / "seed=42").mkdir(parents=True)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "world").symlink_to(tmp_path / "disk")
    reach = Settings.from_environment(cache=tmp_path / "cache").reach
    reach.require(tmp_path / "cache" / "world" / "seed=42")
