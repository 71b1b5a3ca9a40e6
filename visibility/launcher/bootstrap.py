"""Makes `.venv` from the hashed lock when it is missing or out of date; standard library only."""

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

RUN_LOCK = "requirements.lock"
DEV_LOCK = "requirements-dev.lock"


def ensure(checkout: str, *, development: bool) -> None:
    """Return inside an interpreter that has the lock installed, or leave with a sentence."""
    root = Path(checkout)
    venv = root / ".venv"
    inside = Path(sys.prefix).resolve() == venv.resolve()
    if os.environ.get("VISIBILITY_NO_BOOTSTRAP") == "1" or (
        not inside and sys.prefix != sys.base_prefix
    ):
        _require_django()
        return
    with (root / RUN_LOCK).open() as turn:
        # Two first starts at once: the second waits, then finds everything in place.
        fcntl.flock(turn, fcntl.LOCK_EX)
        lock = _lock_to_install(root, development=development)
        if lock is not None:
            _install(root, lock)
    if not inside:
        python = str(venv / "bin" / "python")
        os.execv(python, [python, *sys.argv])  # noqa: S606 - our own interpreter, no shell


def _require_django() -> None:
    if importlib.util.find_spec("django") is None:
        sys.exit(
            f"Django is not installed for {sys.executable}: run `{sys.executable} -m pip install "
            f"--require-hashes -r {RUN_LOCK}`, or leave the active virtual environment."
        )


def _lock_to_install(root: Path, *, development: bool) -> Path | None:
    """The lock that is missing from `.venv`; the development lock contains the other one."""
    stamp = _read_stamp(root)
    wanted = root / (DEV_LOCK if development or stamp[:1] == [DEV_LOCK] else RUN_LOCK)
    return None if stamp == _stamp_of(root, wanted) else wanted


def _read_stamp(root: Path) -> list[str]:
    try:
        return (root / ".venv" / ".lock-sha256").read_text().splitlines()
    except OSError:
        return []


def _stamp_of(root: Path, lock: Path) -> list[str]:
    """What is installed, and for which interpreter: an upgraded Python needs a new `.venv`."""
    interpreter = os.path.realpath(root / ".venv" / "bin" / "python")
    return [lock.name, hashlib.sha256(lock.read_bytes()).hexdigest(), interpreter]


def _install(root: Path, lock: Path) -> None:
    began = time.monotonic()
    wanted = sum(1 for line in lock.read_text().splitlines() if line[:1].isalnum())
    print(f"installing {wanted} packages into .venv (once)", flush=True)
    uv = _working_uv()
    _make_venv(root, uv)
    if uv is None or not _install_with_uv(root, lock, uv):
        _install_with_pip(root, lock, wanted)
    (root / ".venv" / ".lock-sha256").write_text("\n".join(_stamp_of(root, lock)) + "\n")
    print(f"installed in {time.monotonic() - began:.0f} s", flush=True)


def _working_uv() -> str | None:
    """`uv`, if what the PATH names is more than a version manager's empty shim."""
    uv = shutil.which("uv")
    if uv is None or subprocess.run([uv, "--version"], capture_output=True).returncode != 0:
        return None
    return uv


def _make_venv(root: Path, uv: str | None) -> None:
    python = root / ".venv" / "bin" / "python"
    stamp = _read_stamp(root)
    if python.exists() and (not stamp or stamp[-1] == os.path.realpath(python)):
        return
    base = getattr(sys, "_base_executable", sys.executable)
    if uv is not None:
        command = [uv, "venv", "--quiet", "--clear", "--python", base, str(root / ".venv")]
    else:
        _require_venv_module()
        command = [base, "-m", "venv", "--clear", str(root / ".venv")]
    _run_or_leave(command, "could not create .venv")


def _require_venv_module() -> None:
    """Debian and Ubuntu ship Python without the parts that `python -m venv` needs."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return
    sys.exit(
        "This Python cannot make a virtual environment: on Debian and Ubuntu its venv and "
        "ensurepip modules are a package of their own. Run `apt install python3-venv`, and "
        "then this again."
    )


def _install_with_uv(root: Path, lock: Path, uv: str) -> bool:
    python = str(root / ".venv" / "bin" / "python")
    command = [uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes"]
    done = subprocess.run([*command, "--only-binary", ":all:", str(lock)], capture_output=True)
    if done.returncode != 0:
        print("uv could not install the lock; trying pip", flush=True)
    return done.returncode == 0


def _install_with_pip(root: Path, lock: Path, wanted: int) -> None:
    python = str(root / ".venv" / "bin" / "python")
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        _require_venv_module()
        _run_or_leave([python, "-m", "ensurepip"], "could not put pip into .venv")
    pip = [python, "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:"]
    quiet = ["--progress-bar", "off", "--disable-pip-version-check", "--no-input"]
    process = subprocess.Popen(
        [*pip, *quiet, "-r", str(lock)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    last = _report_progress(process, wanted)
    if process.wait() != 0:
        sys.exit("pip could not install the lock:\n" + "".join(last))


def _report_progress(process: "subprocess.Popen[str]", wanted: int) -> deque[str]:
    """A line for every twenty packages; the last lines, in case it fails."""
    last: deque[str] = deque(maxlen=15)
    seen = 0
    for line in process.stdout or ():
        last.append(line)
        if line.startswith("Collecting "):
            seen += 1
            if seen % 20 == 0:
                print(f"  {seen} of {wanted}", flush=True)
    return last


def _run_or_leave(command: list[str], sentence: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{sentence}:\n{done.stdout}{done.stderr}".rstrip())
