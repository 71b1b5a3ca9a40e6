"""Commands connect to the running instance or report that none runs."""

import json
import os
from pathlib import Path

import pytest

from visibility.launcher import instance_lock_and_environment

PUBLISHED = {"DATABASE_URL": "postgresql:///here", "REDIS_URL": "unix:///here", "DEMO": "1"}


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without settings; restored after the test."""
    for name in ("DATABASE_URL", "REDIS_URL", "DATA_DIR", "SECRET_KEY", "DEMO", "PUBLIC_URL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("plain")
def test_command_gets_the_environment_of_the_running_instance(tmp_path: Path) -> None:
    instance_lock_and_environment.write_instance_file(tmp_path, PUBLISHED)
    arguments = instance_lock_and_environment.apply_instance_environment(
        ["manage.py", "shell", "--data", str(tmp_path), "-c", "1"]
    )
    assert arguments == ["manage.py", "shell", "-c", "1"]
    assert {name: os.environ[name] for name in PUBLISHED} == PUBLISHED
    assert os.environ["DATA_DIR"] == str(tmp_path)


@pytest.mark.usefixtures("plain")
def test_command_that_needs_the_database_fails_with_a_message(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="`migrate` needs the database"):
        instance_lock_and_environment.apply_instance_environment(
            ["manage.py", "migrate", f"--data={tmp_path}"]
        )


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    "arguments",
    [["check"], ["migrate", "--help"], ["--version"], [], ["source", "try", "x12", "order.edi"]],
)
def test_command_that_only_reads_code_works_without_an_instance(
    tmp_path: Path, arguments: list[str]
) -> None:
    instance_lock_and_environment.apply_instance_environment(
        ["manage.py", *arguments, "--data", str(tmp_path)]
    )
    assert "/nonexistent" in os.environ["DATABASE_URL"]
    assert len(os.environ["SECRET_KEY"]) > 32


@pytest.mark.usefixtures("plain")
def test_database_url_of_the_caller_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance_lock_and_environment.write_instance_file(tmp_path, PUBLISHED)
    monkeypatch.setenv("DATABASE_URL", "postgresql:///mine")
    instance_lock_and_environment.apply_instance_environment(
        ["manage.py", "shell", "--data", str(tmp_path)]
    )
    assert os.environ["DATABASE_URL"] == "postgresql:///mine"


def test_killed_instance_is_ignored(tmp_path: Path) -> None:
    instance_lock_and_environment.write_instance_file(tmp_path, PUBLISHED)
    path = tmp_path / "run" / "instance.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pid": 2**22 + 1}))
    assert instance_lock_and_environment.running_instance_environment(tmp_path) is None


def test_secret_key_is_created_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = instance_lock_and_environment.ensure_secret_key_file(tmp_path)
    key = path.read_text()
    assert len(key.strip()) == 64
    assert path.stat().st_mode & 0o777 == 0o600
    assert instance_lock_and_environment.ensure_secret_key_file(tmp_path).read_text() == key
