"""Where the embedded servers keep their state, which must be reachable for their account."""

import hashlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from visibility.launcher.binaries import (
    Account,
    Binaries,
    Unusable,
    copied,
    find,
    reaches,
    server_account,
)

# A UNIX socket's path holds 103 bytes on macOS, 107 on Linux.
LONGEST_SOCKET = 80
OURS = ("pg", "pg.new", "pg.password", "run", "log", "sock", "static", "mail", "mode", "secret.key")


@dataclass(frozen=True)
class Place:
    """Folders, programs and account of one pair of servers."""

    state: Path
    sockets: Path
    binaries: Binaries
    account: Account | None

    @property
    def pg(self) -> Path:
        """PostgreSQL's data folder."""
        return self.state / "pg"

    @property
    def valkey_socket(self) -> Path:
        """Where Valkey listens."""
        return self.sockets / "valkey.sock"


def settle(data: Path, *, postgres: bool = True, valkey: bool = True) -> Place:
    """Make the folders, here or where the servers' account can reach them."""
    account = server_account()
    binaries = find(postgres=postgres, valkey=valkey)
    state = data
    if account is not None and not _all_reachable(account, data, binaries):
        state = _state_elsewhere(data, account)
        if not _reachable_programs(account, binaries):
            binaries = copied(binaries, state)
    sockets = _socket_folder(state)
    _private(sockets, account)
    return Place(state, sockets, binaries, account)


def _all_reachable(account: Account, data: Path, binaries: Binaries) -> bool:
    return (
        not _elsewhere(data).is_dir()
        and _reachable_programs(account, binaries)
        and reaches(account, data)
    )


def _reachable_programs(account: Account, binaries: Binaries) -> bool:
    folders = (binaries.postgres, binaries.valkey.parent)
    return all(reaches(account, folder) for folder in folders if folder != Path())


def _elsewhere(data: Path) -> Path:
    return Path("/var/lib") / f"visibility-{_short_hash(data)}"


def _state_elsewhere(data: Path, account: Account) -> Path:
    if (data / "pg").is_dir():
        raise Unusable(
            f"The account {account.name}, which runs PostgreSQL when root starts it, cannot reach "
            f"{data}: make its parent folders and the checkout passable for it."
        )
    state = _elsewhere(data)
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o755)
    return state


def _short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:10]


def _socket_folder(state: Path) -> Path:
    inside = state / "sock"
    if len(os.fsencode(inside / ".s.PGSQL.5432.lock")) <= LONGEST_SOCKET:
        return inside
    return Path(tempfile.gettempdir()) / f"vis-{os.getuid()}-{_short_hash(state)}"


def _private(folder: Path, account: Account | None) -> None:
    """A folder of the servers' account alone; one that a stranger made first is refused."""
    owner = account.uid if account else os.geteuid()
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {owner, os.geteuid()}:
            raise Unusable(f"{folder} belongs to somebody else; remove it.") from None
    folder.chmod(0o700)
    give(folder, account)


def give(path: Path, account: Account | None) -> None:
    """Hand a file or folder to the servers' account."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


def empty(data: Path) -> None:
    """Forget everything that was ever stored, and touch nothing that is not ours."""
    for folder in (data, _elsewhere(data)):
        for name in OURS:
            path = folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
