"""Installs the systems of `make test-systems`: Debian packages, Tryton from PyPI, Vendure from npm.

`python3 -m tests.systems.installing` installs all of them.
Each test also installs its own, and fails if that is impossible. What was installed is used again:
it is in `var/systems`, or in the folder that SYSTEMS_CACHE names. Uses the standard library only.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from visibility.launcher.find_browser import find_browser

ROOT = Path(__file__).resolve().parents[2]
VENDURE_PROJECT = ROOT / "tests" / "systems" / "vendure"
TRYTON_SERIES = "8.0"
TRYTON_MODULES = ("sale", "account_invoice_stock", "stock_package_shipping")
NODE_VERSION = 20
# The programs of the systems, and the Debian packages that have them.
DEBIAN_PACKAGES = {
    "nginx": "nginx-light",
    "rabbitmq-server": "rabbitmq-server",
    "epmd": "rabbitmq-server",
    "mosquitto": "mosquitto",
    "mosquitto_passwd": "mosquitto",
    "node": "nodejs",
    "npm": "npm",
}
PROGRAM_FOLDERS = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
# Programs started by packages while they are installed would use the usual ports.
START_POLICY = Path("/usr/sbin/policy-rc.d")
APT_SECONDS = 900


class CannotInstall(AssertionError):
    """A system of a test is missing, and cannot be installed here."""


def install_all() -> None:
    """Install everything. Raises CannotInstall."""
    install_browser()
    for program in DEBIAN_PACKAGES:
        install_program(program)
    with ThreadPoolExecutor() as pool:
        installs = [pool.submit(install_tryton), pool.submit(install_vendure)]
        for install in installs:
            print(install.result(), flush=True)


def install_browser() -> None:
    """Install the browser of the suite, unless there is one."""
    if find_browser() is None:
        install_program("chromium-headless-shell")


def install_program(name: str) -> str:
    """Return the path of a program; install its Debian package first if it is missing."""
    if path := shutil.which(name, path=PROGRAM_FOLDERS):
        return path
    package = DEBIAN_PACKAGES.get(name, name)
    hint = f"{name} is not installed, and {{}}: run `apt-get install {package}` as root"
    if os.getuid() != 0:
        raise CannotInstall(hint.format("this account must not install it"))
    if not shutil.which("apt-get"):
        raise CannotInstall(hint.format("this machine has no apt-get"))
    with locked("debian"), without_started_services():
        if not shutil.which(name, path=PROGRAM_FOLDERS):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            wait = ["-o", f"DPkg::Lock::Timeout={APT_SECONDS}"]
            run(["apt-get", *wait, "-q", "update"], env=environment)
            install = ["install", "-y", "-q", "--no-install-recommends", package]
            run(["apt-get", *wait, *install], env=environment)
    path = shutil.which(name, path=PROGRAM_FOLDERS)
    if path is None:
        raise CannotInstall(hint.format(f"the package {package} does not contain it"))
    return path


@contextmanager
def without_started_services() -> Iterator[None]:
    """Let packages start no service while they are installed."""
    if START_POLICY.exists():
        yield
        return
    START_POLICY.write_text("#!/bin/sh\nexit 101\n")
    START_POLICY.chmod(0o755)
    try:
        yield
    finally:
        START_POLICY.unlink()


def install_tryton() -> Path:
    """Make an environment with Tryton; return the folder of its programs."""
    names = [f"trytond_{name}~={TRYTON_SERIES}.0" for name in TRYTON_MODULES]
    requirements = [f"trytond~={TRYTON_SERIES}.0", f"proteus~={TRYTON_SERIES}.0", *names]

    def install(folder: Path) -> None:
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q"]
        run([*pip, "--disable-pip-version-check", *requirements])

    python = os.path.realpath(sys.executable)
    return installed_once("tryton", " ".join([python, *requirements]), install) / "bin"


def install_vendure() -> Path:
    """Install the packages of the lock file; return the folder with the shop."""
    npm, node = install_program("npm"), install_program("node")
    lock = (VENDURE_PROJECT / "package-lock.json").read_text()
    version = run([node, "--version"])
    if int(version.strip().removeprefix("v").partition(".")[0]) < NODE_VERSION:
        raise CannotInstall(f"Vendure needs Node {NODE_VERSION}; {node} is {version.strip()}")

    def install(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(VENDURE_PROJECT / name, folder / name)
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]
        run([npm, "ci", *options], cwd=folder)

    return installed_once("vendure", version + lock, install)


def installed_once(name: str, version: str, install: Callable[[Path], None]) -> Path:
    """Return a folder that `install` filled, now or before with the same version.

    The folder is not renamed afterwards, since programs of Python environments contain its path.
    """
    digest = hashlib.sha256(version.encode()).hexdigest()[:16]
    folder = cache_folder() / f"{name}-{digest}"
    complete = folder / ".complete"
    with locked(name):
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            install(folder)
            complete.touch()
    return folder


def cache_folder() -> Path:
    """The folder of installed systems."""
    folder = Path(os.environ.get("SYSTEMS_CACHE") or ROOT / "var" / "systems")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one process at a time install."""
    with (cache_folder() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(command: list[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Return the output of a command. Raises CannotInstall with its messages."""
    result = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=APT_SECONDS, check=False
    )
    if result.returncode != 0:
        output = (result.stdout + result.stderr)[-4000:]
        raise CannotInstall(f"{' '.join(command)} failed:\n{output}")
    return result.stdout


if __name__ == "__main__":
    install_all()
