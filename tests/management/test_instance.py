"""Other commands find the running instance, or say that there is none."""

import json
import os
from pathlib import Path

import pytest

from visibility.launcher import instance

FOUND = {"DATABASE_URL": "postgresql:///here", "REDIS_URL": "unix:///here", "DEMO": "1"}


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of somebody who set nothing; changes are undone."""
    for name in ("DATABASE_URL", "REDIS_URL", "DATA_DIR", "SECRET_KEY", "DEMO", "PUBLIC_URL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("plain")
def test_a_command_gets_the_address_of_the_running_instance(tmp_path: Path) -> None:
    instance.publish(tmp_path, FOUND)
    rest = instance.connect(["manage.py", "shell", "--data", str(tmp_path), "-c", "1"])
    assert rest == ["manage.py", "shell", "-c", "1"]
    assert {name: os.environ[name] for name in FOUND} == FOUND
    assert os.environ["DATA_DIR"] == str(tmp_path)


@pytest.mark.usefixtures("plain")
def test_a_command_that_needs_the_database_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="`migrate` needs the database"):
        instance.connect(["manage.py", "migrate", f"--data={tmp_path}"])


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    "words",
    [["check"], ["migrate", "--help"], ["--version"], [], ["source", "try", "x12", "order.edi"]],
)
def test_a_command_that_only_reads_code_works_before_the_first_start(
    tmp_path: Path, words: list[str]
) -> None:
    instance.connect(["manage.py", *words, "--data", str(tmp_path)])
    assert "/nonexistent" in os.environ["DATABASE_URL"]
    assert len(os.environ["SECRET_KEY"]) > 32


@pytest.mark.usefixtures("plain")
def test_a_given_database_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance.publish(tmp_path, FOUND)
    monkeypatch.setenv("DATABASE_URL", "postgresql:///mine")
    instance.connect(["manage.py", "shell", "--data", str(tmp_path)])
    assert os.environ["DATABASE_URL"] == "postgresql:///mine"


def test_an_instance_that_was_killed_is_not_found(tmp_path: Path) -> None:
    instance.publish(tmp_path, FOUND)
    path = tmp_path / "run" / "instance.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pid": 2**22 + 1}))
    assert instance.find(tmp_path) is None


def test_the_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    path = instance.secret_key(tmp_path)
    key = path.read_text()
    assert len(key.strip()) == 64
    assert path.stat().st_mode & 0o777 == 0o600
    assert instance.secret_key(tmp_path).read_text() == key
