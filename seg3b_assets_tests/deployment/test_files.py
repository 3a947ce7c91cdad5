"""The deployment's files: valid, closed to the outside, free of secrets, and at one with each other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from seg3b_assets.orchestration.instance_home import instance_config, write_instance_config
from seg3b_assets.settings import REPOSITORY

COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]


def test_one_machine_keeps_its_history_in_files() -> None:
    config = instance_config({})
    assert config["storage"]["custom"]["class"] == "QuickSqliteStorage"
    assert config == yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())


def test_postgresql_and_s3_are_switched_on_by_the_environment() -> None:
    config = instance_config({"DAGSTER_PG_HOST": "db", "SEG3B_LOGS_BUCKET": "logs"})
    assert config["storage"]["postgres"]["postgres_db"]["password"] == {"env": "DAGSTER_PG_PASSWORD"}
    assert config["compute_logs"]["class"] == "S3ComputeLogManager"
    assert config["telemetry"] == {"enabled": False}


def test_an_instance_configuration_is_written_once(tmp_path: Path) -> None:
    path = write_instance_config(tmp_path, {"DAGSTER_PG_HOST": "db"})
    before = path.stat().st_mtime_ns
    assert write_instance_config(tmp_path, {"DAGSTER_PG_HOST": "db"}).stat().st_mtime_ns == before
    assert yaml.safe_load(path.read_text()) == instance_config({"DAGSTER_PG_HOST": "db"})


def test_only_the_webserver_is_published_and_only_to_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"webserver": ["127.0.0.1:3000:3000"]}


def test_every_container_is_confined_the_database_too() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "cap_add" not in service, name
        assert "privileged" not in service, name
        assert "/tmp" in service["tmpfs"], name
    assert SERVICES["postgres"]["user"] != "root"


def test_the_webserver_that_is_deployed_is_the_guarded_one() -> None:
    started = (REPOSITORY / "deploy" / "start").read_text()
    assert "exec python -m seg3b_assets.orchestration.ui " in started
    assert "dagster-webserver" not in started
    assert "dagster dev" not in (REPOSITORY / "Makefile").read_text()
    assert SERVICES["webserver"]["environment"]["SEG3B_UI_HOSTS"] == "${SEG3B_UI_HOSTS:-}"


def test_every_service_has_a_health_check_and_waits_for_what_it_needs() -> None:
    assert all("healthcheck" in service for service in SERVICES.values())
    assert SERVICES["code-location"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("webserver", "daemon"):
        assert SERVICES[name]["depends_on"] == {"code-location": {"condition": "service_healthy"}}


def test_every_named_volume_is_declared() -> None:
    mounted = {volume.split(":")[0] for service in SERVICES.values() for volume in service["volumes"]}
    assert {name for name in mounted if not name.startswith(".")} == set(COMPOSE["volumes"])


def test_every_command_is_one_deploy_start_knows() -> None:
    known = (REPOSITORY / "deploy" / "start").read_text()
    commands = [service["command"][0] for service in SERVICES.values() if "command" in service]
    assert sorted(commands) == ["code-location", "daemon", "webserver"]
    assert all(f"  {command})" in known for command in commands)


@pytest.mark.e2e
def test_the_compose_client_accepts_the_file_and_asks_for_the_password() -> None:
    client = Path(sys.prefix) / "bin" / "docker-compose"
    without = {name: value for name, value in os.environ.items() if name != "DAGSTER_PG_PASSWORD"}
    command = [str(client), "--project-directory", str(REPOSITORY), "config", "--format", "json"]
    refused = subprocess.run(command, env=without, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "set it in .env" in refused.stderr
    given = without | {"DAGSTER_PG_PASSWORD": "a password"}
    accepted = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
    assert set(yaml.safe_load(accepted.stdout)["services"]) == set(SERVICES)


@pytest.mark.e2e
def test_the_dockerfile_is_clean() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.prefix) / "bin"))
    assert hadolint
    done = subprocess.run(
        [hadolint, "--failure-threshold", "warning", str(REPOSITORY / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
