"""Create `.venv` from the hashed lock file when it is missing or outdated.

Uses the standard library only: nothing else is installed yet.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

RUNTIME_LOCK = "requirements.lock"
DEVELOPMENT_LOCK = "requirements-dev.lock"


def ensure_running_in_venv(checkout: str, *, development: bool) -> None:
    """Make sure that this process runs in an interpreter with the locked packages.

    Installs them if necessary and re-executes the command inside `.venv`. Exits with a message
    when that is impossible.
    """
    checkout_folder = Path(checkout)
    venv = checkout_folder / ".venv"
    in_venv = Path(sys.prefix).resolve() == venv.resolve()
    if os.environ.get("VISIBILITY_NO_BOOTSTRAP") == "1" or (
        not in_venv and sys.prefix != sys.base_prefix
    ):
        _require_django()
        return
    with (checkout_folder / RUNTIME_LOCK).open() as lock_file:
        # When two first starts run at once, the second one waits and then has nothing to install.
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        lock = _lock_file_unless_already_installed(checkout_folder, development=development)
        if lock is not None:
            _install_locked_packages(checkout_folder, lock)
    if not in_venv:
        python = str(venv / "bin" / "python")
        os.execv(python, [python, *sys.argv])  # noqa: S606 - our own interpreter, no shell


def _require_django() -> None:
    if importlib.util.find_spec("django") is None:
        sys.exit(
            f"Django is not installed for {sys.executable}: run `{sys.executable} -m pip install "
            f"--require-hashes -r {RUNTIME_LOCK}`, or deactivate the virtual environment."
        )


def _lock_file_unless_already_installed(root: Path, *, development: bool) -> Path | None:
    """The lock file to install, or None. The development lock includes the runtime lock."""
    stamp = _read_venv_stamp(root)
    lock = root / (
        DEVELOPMENT_LOCK if development or stamp[:1] == [DEVELOPMENT_LOCK] else RUNTIME_LOCK
    )
    return None if stamp == _expected_venv_stamp(root, lock) else lock


def _read_venv_stamp(root: Path) -> list[str]:
    try:
        return (root / ".venv" / ".lock-sha256").read_text().splitlines()
    except OSError:
        return []


def _expected_venv_stamp(root: Path, lock: Path) -> list[str]:
    """Lock name, lock hash and interpreter: an upgraded Python needs a new `.venv`."""
    interpreter = os.path.realpath(root / ".venv" / "bin" / "python")
    return [lock.name, hashlib.sha256(lock.read_bytes()).hexdigest(), interpreter]


def _install_locked_packages(root: Path, lock: Path) -> None:
    started_at = time.monotonic()
    package_count = sum(1 for line in lock.read_text().splitlines() if line[:1].isalnum())
    print(f"installing {package_count} packages into .venv (once)", flush=True)
    uv = _working_uv()
    _create_venv_if_missing_or_python_changed(root, uv)
    if uv is None or not _install_with_uv(root, lock, uv):
        _install_with_pip(root, lock, package_count)
    (root / ".venv" / ".lock-sha256").write_text("\n".join(_expected_venv_stamp(root, lock)) + "\n")
    print(f"installed in {time.monotonic() - started_at:.0f} s", flush=True)


def _working_uv() -> str | None:
    """The path of `uv`, or None if it is missing or only a version manager's empty shim."""
    uv = shutil.which("uv")
    if uv is None or subprocess.run([uv, "--version"], capture_output=True).returncode != 0:
        return None
    return uv


def _create_venv_if_missing_or_python_changed(root: Path, uv: str | None) -> None:
    python = root / ".venv" / "bin" / "python"
    stamp = _read_venv_stamp(root)
    if python.exists() and (not stamp or stamp[-1] == os.path.realpath(python)):
        return
    base = getattr(sys, "_base_executable", sys.executable)
    if uv is not None:
        command = [uv, "venv", "--quiet", "--clear", "--python", base, str(root / ".venv")]
    else:
        _require_venv_module()
        command = [base, "-m", "venv", "--clear", str(root / ".venv")]
    _run_or_exit(command, "could not create .venv")


def _require_venv_module() -> None:
    """Exit with a hint if `python -m venv` cannot work: Debian and Ubuntu package it separately."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return
    sys.exit(
        "This Python cannot create a virtual environment. On Debian and Ubuntu, the venv and "
        "ensurepip modules are in a separate package: run `apt install python3-venv`, then run "
        "this command again."
    )


def _install_with_uv(root: Path, lock: Path, uv: str) -> bool:
    python = str(root / ".venv" / "bin" / "python")
    command = [uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes"]
    result = subprocess.run([*command, "--only-binary", ":all:", str(lock)], capture_output=True)
    if result.returncode != 0:
        print("uv could not install the lock; trying pip", flush=True)
    return result.returncode == 0


def _install_with_pip(root: Path, lock: Path, package_count: int) -> None:
    python = str(root / ".venv" / "bin" / "python")
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        _require_venv_module()
        _run_or_exit([python, "-m", "ensurepip"], "could not install pip into .venv")
    pip = [python, "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:"]
    options = ["--progress-bar", "off", "--disable-pip-version-check", "--no-input"]
    process = subprocess.Popen(
        [*pip, *options, "-r", str(lock)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    last_output = _print_pip_progress_and_return_last_lines(process, package_count)
    if process.wait() != 0:
        sys.exit("pip could not install the lock:\n" + "".join(last_output))


def _print_pip_progress_and_return_last_lines(
    process: "subprocess.Popen[str]", package_count: int
) -> deque[str]:
    """Print a line per twenty packages; return the last lines of output for an error message."""
    last_output: deque[str] = deque(maxlen=15)
    collected = 0
    for line in process.stdout or ():
        last_output.append(line)
        if line.startswith("Collecting "):
            collected += 1
            if collected % 20 == 0:
                print(f"  {collected} of {package_count}", flush=True)
    return last_output


def _run_or_exit(command: list[str], message: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{message}:\n{result.stdout}{result.stderr}".rstrip())
