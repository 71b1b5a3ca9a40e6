"""One running instance per data folder: its lock, its address, and how other commands find it."""

import fcntl
import json
import os
import secrets
import sys
import time
import warnings
from pathlib import Path
from typing import TextIO

CHECKOUT = Path(__file__).resolve().parents[2]

# Commands that read code and files only, so that they work before anything was started.
OFFLINE = {
    "check", "collectstatic", "compilemessages", "diffsettings", "findstatic", "help",
    "makemessages", "makemigrations", "spectacular", "startapp", "version",
}  # fmt: skip


class Running(Exception):
    """Another process holds the data folder."""


def default_data() -> Path:
    """`DATA_DIR`, or `var` in the checkout."""
    return Path(os.environ.get("DATA_DIR") or CHECKOUT / "var")


class Claim:
    """The lock of a data folder; the kernel frees it however its holder ends."""

    def __init__(self, data: Path) -> None:
        self._file = _open_lock(data / "lock")
        for attempt in range(5):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == 4:
                    raise Running(_describe(self._file)) from None
                time.sleep(0.1)

    def tell(self, url: str) -> None:
        """Note who holds the folder, for whoever comes second."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps({"pid": os.getpid(), "url": url}))
        self._file.flush()


def _open_lock(path: Path) -> TextIO:
    try:
        # When root starts, the servers' account passes through; nobody else looks inside.
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise SystemExit(
            f"The data folder {path.parent} cannot be used ({error.strerror}): give another one "
            "with --data, or start as the user it belongs to."
        ) from error


def _describe(file: TextIO) -> str:
    try:
        holder = json.loads(file.read())
        return f"already running: {holder['url']} (process {holder['pid']})"
    except (ValueError, KeyError):
        return "already starting in another process"


def write_private(path: Path, content: str) -> None:
    """Only its owner reads it, and it is never there by half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def secret_key(data: Path) -> Path:
    """The file that holds the data folder's key; made on the first start."""
    path = data / "secret.key"
    if not path.is_file():
        write_private(path, secrets.token_urlsafe(48) + "\n")
    return path


def publish(data: Path, environment: dict[str, str]) -> None:
    """Let other commands find this instance."""
    content = {**environment, "pid": os.getpid()}
    write_private(data / "run" / "instance.json", json.dumps(content, indent=1))


def withdraw(data: Path) -> None:
    """The instance is gone."""
    (data / "run" / "instance.json").unlink(missing_ok=True)


def find(data: Path) -> dict[str, str] | None:
    """The environment of the instance that runs on `data`, if one does."""
    path = data / "run" / "instance.json"
    try:
        found = json.loads(path.read_text())
        os.kill(int(found.pop("pid")), 0)
    except PermissionError:
        raise SystemExit(f"{path} belongs to another user: run this as that user.") from None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return {str(name): str(value) for name, value in found.items()}


def connect(argv: list[str]) -> list[str]:
    """Point this process at the running instance; `argv` without our own option."""
    data, rest = _take_data(argv)
    os.environ["DATA_DIR"] = str(data)
    command = rest[1] if len(rest) > 1 else "help"
    if "DATABASE_URL" in os.environ or "DATABASE_URL_FILE" in os.environ:
        return rest
    found = find(data)
    if found is not None:
        os.environ.update({**found, **_chosen()})
    elif _offline(command, rest):
        _go_offline(data)
    else:
        raise SystemExit(
            f"Nothing is running on {data}, and `{command}` needs the database: start it with "
            "`python3 manage.py up`, name its folder with --data, or set DATABASE_URL."
        )
    return rest


def _chosen() -> dict[str, str]:
    """What the caller set stands above what the instance runs with."""
    return {name: os.environ[name] for name in ("PUBLIC_URL", "DEMO") if name in os.environ}


def _take_data(argv: list[str]) -> tuple[Path, list[str]]:
    rest: list[str] = []
    data = default_data()
    words = iter(argv)
    for word in words:
        if word == "--data":
            data = Path(next(words, "") or sys.exit("--data needs a folder."))
        elif word.startswith("--data="):
            data = Path(word.partition("=")[2])
        else:
            rest.append(word)
    return data.absolute(), rest


def _offline(command: str, rest: list[str]) -> bool:
    """Whether the command needs no database: trying a payload stores nothing."""
    asks = command.startswith("-") or bool({"-h", "--help"} & set(rest))
    return asks or command in OFFLINE or (command == "source" and rest[2:3] == ["try"])


def _go_offline(data: Path) -> None:
    """Addresses where nothing answers: a command without a database must not find a stranger's."""
    os.environ["DATABASE_URL"] = "postgresql://nobody@/none?host=/nonexistent"
    os.environ.setdefault("REDIS_URL", "unix:///nonexistent/valkey.sock")
    if not (data / "secret.key").is_file() and "SECRET_KEY_FILE" not in os.environ:
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(48))
    warnings.filterwarnings("ignore", message="Got an error checking a consistent migration")
