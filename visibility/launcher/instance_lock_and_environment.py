"""The running instance of a data folder: its lock, and how other commands connect to it."""

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
FALLBACK_KEYS = "secret.key.fallbacks"

# Commands that only read code and files. They work without a running instance.
OFFLINE_COMMANDS = {
    "check", "collectstatic", "compilemessages", "connector_docs", "diffsettings",
    "document_events", "findstatic", "help", "lock_migrations", "makemessages", "makemigrations",
    "publish_schemas",
    "spectacular", "startapp", "version",
}  # fmt: skip


class AlreadyRunning(Exception):
    """Another process has locked the data folder."""


def default_data_folder() -> Path:
    """`DATA_DIR`, or else the folder `var` in the checkout."""
    return Path(os.environ.get("DATA_DIR") or CHECKOUT / "var")


class InstanceLock:
    """The lock of a data folder. The kernel releases it however the process ends."""

    def __init__(self, data: Path) -> None:
        self._file = _create_or_open_lock_file(data / "lock")
        for attempt in range(5):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == 4:
                    raise AlreadyRunning(_describe_holder(self._file)) from None
                time.sleep(0.1)

    def release(self) -> None:
        """Let another process take the folder."""
        self._file.close()

    def record_holder_pid_and_url(self, url: str) -> None:
        """Write this process and its URL to the lock file, for the message of a second start."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps({"pid": os.getpid(), "url": url}))
        self._file.flush()


def _create_or_open_lock_file(path: Path) -> TextIO:
    try:
        # Under root, the servers' account must be able to enter; nobody else may list the content.
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise SystemExit(
            f"Cannot use the data folder {path.parent} ({error.strerror}). Choose another one "
            "with --data, or run the command as the folder's owner."
        ) from error


def _describe_holder(file: TextIO) -> str:
    try:
        holder = json.loads(file.read())
        return f"already running: {holder['url']} (process {holder['pid']})"
    except (ValueError, KeyError):
        return "already starting in another process"


def write_private(path: Path, content: str) -> None:
    """Write a file atomically, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def ensure_secret_key_file(data: Path) -> Path:
    """The file with the data folder's secret key; created on the first start."""
    path = data / "secret.key"
    if not path.is_file():
        write_private(path, secrets.token_urlsafe(48) + "\n")
    return path


def fallback_keys_file(data: Path) -> Path:
    """The file with older secret keys of the data folder, which `settings` reads."""
    return data / FALLBACK_KEYS


def write_instance_file(data: Path, environment: dict[str, str]) -> None:
    """Write the environment of this instance to a file where other commands find it."""
    content = {**environment, "pid": os.getpid()}
    write_private(data / "run" / "instance.json", json.dumps(content, indent=1))


def delete_instance_file(data: Path) -> None:
    """Delete the file that `publish` wrote."""
    (data / "run" / "instance.json").unlink(missing_ok=True)


def running_instance_environment(data: Path) -> dict[str, str] | None:
    """The environment of the instance that runs on `data`, or None."""
    path = data / "run" / "instance.json"
    try:
        environment = json.loads(path.read_text())
        os.kill(int(environment.pop("pid")), 0)
    except PermissionError:
        raise SystemExit(
            f"{path} belongs to another user. Run this command as that user."
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return {str(name): str(value) for name, value in environment.items()}


def apply_instance_environment(argv: list[str]) -> list[str]:
    """Set the environment of the running instance; return `argv` without the option `--data`.

    Raises:
        SystemExit: the command needs a database and no instance runs.
    """
    data, arguments = pop_data_option(argv)
    os.environ["DATA_DIR"] = str(data)
    command = arguments[1] if len(arguments) > 1 else "help"
    if "DATABASE_URL" in os.environ or "DATABASE_URL_FILE" in os.environ:
        return arguments
    environment = running_instance_environment(data)
    if environment is not None:
        os.environ.update({**environment, **_caller_environment_overrides()})
    elif works_offline(command, arguments):
        _set_unreachable_addresses(data)
    else:
        raise SystemExit(
            f"`{command}` needs the database, but no instance runs on {data}. Start one with "
            "`python3 manage.py up`, choose its folder with --data, or set DATABASE_URL."
        )
    return arguments


def _caller_environment_overrides() -> dict[str, str]:
    """Variables of the caller that override those of the instance."""
    return {name: os.environ[name] for name in ("PUBLIC_URL", "DEMO") if name in os.environ}


def unfinished_restore(data: Path) -> Path:
    """A file that exists while a restore has replaced a part of the data only."""
    return data / "restore.unfinished"


def pop_data_option(argv: list[str]) -> tuple[Path, list[str]]:
    """The data folder, and `argv` without the option `--data`."""
    remaining: list[str] = []
    data = default_data_folder()
    arguments = iter(argv)
    for argument in arguments:
        if argument == "--data":
            data = Path(next(arguments, "") or sys.exit("--data needs a folder."))
        elif argument.startswith("--data="):
            data = Path(argument.partition("=")[2])
        else:
            remaining.append(argument)
    return data.absolute(), remaining


def works_offline(command: str, arguments: list[str]) -> bool:
    """Return whether the command works without a database.

    `source try`, `lint` and `draft` store nothing, and `restore --check` only reads the file.
    """
    wants_help = command.startswith("-") or bool({"-h", "--help"} & set(arguments))
    return (
        wants_help
        or command in OFFLINE_COMMANDS
        or (command == "source" and arguments[2:3] in (["try"], ["lint"], ["draft"]))
        or (command == "restore" and "--check" in arguments)
    )


def _set_unreachable_addresses(data: Path) -> None:
    """Set server addresses that do not exist, so that the command cannot reach other servers."""
    os.environ["DATABASE_URL"] = "postgresql://nobody@/none?host=/nonexistent"
    os.environ.setdefault("REDIS_URL", "unix:///nonexistent/valkey.sock")
    if not (data / "secret.key").is_file() and "SECRET_KEY_FILE" not in os.environ:
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(48))
    warnings.filterwarnings("ignore", message="Got an error checking a consistent migration")
