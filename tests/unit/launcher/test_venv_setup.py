"""The first start: which lock file is installed, and the messages when that is impossible."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from visibility.launcher import venv_setup
from visibility.launcher.instance_lock_and_environment import CHECKOUT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with both lock files and an interpreter."""
    (tmp_path / venv_setup.RUNTIME_LOCK).write_text("a==1\n")
    (tmp_path / venv_setup.DEVELOPMENT_LOCK).write_text("a==1\nb==1\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    return tmp_path


def install(root: Path, lock: str) -> None:
    stamp = venv_setup._expected_venv_stamp(root, root / lock)
    (root / ".venv" / ".lock-sha256").write_text("\n".join(stamp))


def missing_lock(root: Path, *, development: bool) -> str | None:
    lock = venv_setup._lock_file_unless_already_installed(root, development=development)
    return lock.name if lock else None


def test_current_lock_is_not_installed_twice(root: Path) -> None:
    assert missing_lock(root, development=False) == venv_setup.RUNTIME_LOCK
    install(root, venv_setup.RUNTIME_LOCK)
    assert missing_lock(root, development=False) is None
    assert missing_lock(root, development=True) == venv_setup.DEVELOPMENT_LOCK


def test_development_lock_includes_the_runtime_lock(root: Path) -> None:
    install(root, venv_setup.DEVELOPMENT_LOCK)
    assert missing_lock(root, development=True) is None
    assert missing_lock(root, development=False) is None


def test_changed_development_lock_is_reinstalled_instead_of_the_runtime_lock(root: Path) -> None:
    install(root, venv_setup.DEVELOPMENT_LOCK)
    (root / venv_setup.DEVELOPMENT_LOCK).write_text("a==2\nb==1\n")
    assert missing_lock(root, development=False) == venv_setup.DEVELOPMENT_LOCK


def test_changed_interpreter_needs_a_new_installation(root: Path) -> None:
    install(root, venv_setup.RUNTIME_LOCK)
    python = root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/bin/sh")
    assert missing_lock(root, development=False) == venv_setup.RUNTIME_LOCK


def test_missing_venv_package_is_reported_with_the_command_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find(name)
    )
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        venv_setup._require_venv_module()


def test_older_python_prints_the_version_message() -> None:
    source = (CHECKOUT / "manage.py").read_text()
    ast.parse(source, feature_version=(3, 8))
    old = source.replace("sys.version_info < (3, 11)", "True")
    done = subprocess.run([sys.executable, "-c", old], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Python 3.11 or newer is needed; this is 3.")


def test_no_bootstrap_setting_changes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISIBILITY_NO_BOOTSTRAP", "1")
    before = sorted(os.listdir(root / ".venv"))
    venv_setup.ensure_running_in_venv(str(root), development=False)
    assert sorted(os.listdir(root / ".venv")) == before
