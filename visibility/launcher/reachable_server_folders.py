"""Choose folders for the embedded servers that the servers' account can reach."""

import hashlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from visibility.launcher.server_programs_and_account import (
    ServerAccount,
    ServerPrograms,
    StartError,
    can_enter,
    copy_programs,
    find_programs,
    unprivileged_server_account,
)

# The path of a UNIX socket is limited to 103 bytes on macOS and 107 on Linux.
MAX_SOCKET_PATH = 80
OWNED_NAMES = (
    "pg",
    "pg.new",
    "pg.password",
    "pg.app.password",
    "run",
    "log",
    "sock",
    "static",
    "mail",
    "mode",
    "secret.key",
    "restore.new",
    "restore.unfinished",
)


@dataclass(frozen=True)
class ServerLayout:
    """Folders, programs and account of the embedded servers; no account means the current user."""

    state_folder: Path
    socket_folder: Path
    programs: ServerPrograms
    account: ServerAccount | None

    @property
    def postgres_data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.state_folder / "pg"

    @property
    def valkey_socket(self) -> Path:
        """The socket that Valkey listens on."""
        return self.socket_folder / "valkey.sock"


def prepare_layout(data: Path, *, postgres: bool = True, valkey: bool = True) -> ServerLayout:
    """Create the folders in `data`, or in `/var/lib` if the servers' account cannot reach `data`.

    Raises:
        StartError: a folder cannot be used, or a requested server is not installed.
    """
    account = unprivileged_server_account()
    programs = find_programs(postgres=postgres, valkey=valkey)
    state_folder = data
    if account is not None and not _can_account_enter_data_and_programs(account, data, programs):
        state_folder = _create_fallback_state_folder(data, account)
        if not _programs_reachable(account, programs):
            programs = copy_programs(programs, state_folder)
    socket_folder = _socket_folder_with_short_enough_path(state_folder)
    _create_private_folder(socket_folder, account)
    return ServerLayout(state_folder, socket_folder, programs, account)


def _can_account_enter_data_and_programs(
    account: ServerAccount, data: Path, programs: ServerPrograms
) -> bool:
    return (
        not _fallback_state_folder(data).is_dir()
        and _programs_reachable(account, programs)
        and can_enter(account, data)
    )


def _programs_reachable(account: ServerAccount, programs: ServerPrograms) -> bool:
    folders = (programs.postgres_folder, programs.valkey_program.parent)
    return all(can_enter(account, folder) for folder in folders if folder != Path())


def _fallback_state_folder(data: Path) -> Path:
    return Path("/var/lib") / f"visibility-{_short_hash(data)}"


def _create_fallback_state_folder(data: Path, account: ServerAccount) -> Path:
    if (data / "pg").is_dir():
        raise StartError(
            f"PostgreSQL runs as the account {account.name}, because root started it, and that "
            f"account cannot reach {data}. Give it access to the parent folders and the checkout."
        )
    state_folder = _fallback_state_folder(data)
    state_folder.mkdir(parents=True, exist_ok=True)
    state_folder.chmod(0o755)
    return state_folder


def _short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:10]


def _socket_folder_with_short_enough_path(state: Path) -> Path:
    inside = state / "sock"
    if len(os.fsencode(inside / ".s.PGSQL.5432.lock")) <= MAX_SOCKET_PATH:
        return inside
    return Path(tempfile.gettempdir()) / f"vis-{os.getuid()}-{_short_hash(state)}"


def _create_private_folder(folder: Path, account: ServerAccount | None) -> None:
    """Create a folder for the servers' account only; reject one that another user created."""
    owner = account.uid if account else os.geteuid()
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {owner, os.geteuid()}:
            raise StartError(f"{folder} belongs to another user. Remove it.") from None
    folder.chmod(0o700)
    assign_owner(folder, account)


def assign_owner(path: Path, account: ServerAccount | None) -> None:
    """Change the owner to the servers' account, if there is one."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


def delete_all_data(data: Path) -> None:
    """Delete all stored data. Other files in the folder stay."""
    for folder in (data, _fallback_state_folder(data)):
        for name in OWNED_NAMES:
            path = folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
