"""The first start: which lock is installed, and what is said when it cannot be."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from visibility.launcher import bootstrap
from visibility.launcher.instance import CHECKOUT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with both locks and an interpreter."""
    (tmp_path / bootstrap.RUN_LOCK).write_text("a==1\n")
    (tmp_path / bootstrap.DEV_LOCK).write_text("a==1\nb==1\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    return tmp_path


def install(root: Path, lock: str) -> None:
    stamp = bootstrap._stamp_of(root, root / lock)
    (root / ".venv" / ".lock-sha256").write_text("\n".join(stamp))


def missing(root: Path, *, development: bool) -> str | None:
    lock = bootstrap._lock_to_install(root, development=development)
    return lock.name if lock else None


def test_nothing_is_installed_twice(root: Path) -> None:
    assert missing(root, development=False) == bootstrap.RUN_LOCK
    install(root, bootstrap.RUN_LOCK)
    assert missing(root, development=False) is None
    assert missing(root, development=True) == bootstrap.DEV_LOCK


def test_the_development_lock_serves_both(root: Path) -> None:
    install(root, bootstrap.DEV_LOCK)
    assert missing(root, development=True) is None
    assert missing(root, development=False) is None


def test_a_changed_lock_is_installed_again_and_never_a_smaller_one(root: Path) -> None:
    install(root, bootstrap.DEV_LOCK)
    (root / bootstrap.DEV_LOCK).write_text("a==2\nb==1\n")
    assert missing(root, development=False) == bootstrap.DEV_LOCK


def test_another_interpreter_needs_another_installation(root: Path) -> None:
    install(root, bootstrap.RUN_LOCK)
    python = root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/bin/sh")
    assert missing(root, development=False) == bootstrap.RUN_LOCK


def test_python_without_its_venv_package_is_told_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find(name)
    )
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        bootstrap._require_venv_module()


def test_an_older_python_can_read_the_sentence_for_it() -> None:
    source = (CHECKOUT / "manage.py").read_text()
    ast.parse(source, feature_version=(3, 8))
    old = source.replace("sys.version_info < (3, 11)", "True")
    done = subprocess.run([sys.executable, "-c", old], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Python 3.11 or newer is needed; this is 3.")


def test_the_interpreter_of_a_container_is_left_alone(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISIBILITY_NO_BOOTSTRAP", "1")
    before = sorted(os.listdir(root / ".venv"))
    bootstrap.ensure(str(root), development=False)
    assert sorted(os.listdir(root / ".venv")) == before
