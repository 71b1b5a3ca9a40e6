"""A copy of the repository in which a recipe of CONTRIBUTING is performed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

from tests import database_template

ROOT = Path(__file__).resolve().parents[3]
COPIED = (
    "connectors",
    "docs",
    "static",
    "templates",
    "tests",
    "visibility",
    "CONTRIBUTING.md",
    "README.md",
    "docker-compose.yml",
    "manage.py",
    "pyproject.toml",
)
LIMIT_SECONDS = 240


class RepositoryCopy:
    """A copy of the repository. It records which files a recipe writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.touched: set[str] = set()
        # The other compiled files are as valid in the copy, and compiling all again takes seconds.
        ignored = shutil.ignore_patterns("*-pytest-*.pyc", "node_modules")
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=ignored)
            else:
                shutil.copy2(source, folder / name)

    def write(self, path: str, text: str) -> None:
        """Create a file."""
        target = self.folder / path
        assert not target.exists(), path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        self.touched.add(path)

    def insert(self, path: str, *, before: str, text: str) -> None:
        """Insert text into a file before the first occurrence of `before`."""
        target = self.folder / path
        old = target.read_text()
        assert before in old, (path, before)
        target.write_text(old.replace(before, text + before, 1))
        self.touched.add(path)

    def add_name(self, path: str, collection: str, name: str) -> None:
        """Add a name to a set literal such as `TILES = {...}`."""
        target = self.folder / path
        old = target.read_text()
        new = re.sub(rf"^{collection} = {{", f'{collection} = {{\n    "{name}",', old, flags=re.M)
        assert new != old, (path, collection)
        target.write_text(new)
        self.touched.add(path)

    def run_command(self, *arguments: str) -> None:
        """Run a management command, and record the documents that it writes."""
        before = self._documents()
        done = subprocess.run(
            [sys.executable, "-m", "django", *arguments],
            cwd=self.folder,
            env=_environment(self.folder),
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
        self.touched |= {
            name for name, text in self._documents().items() if before.get(name) != text
        }

    def _documents(self) -> dict[str, str]:
        paths = [self.folder / "README.md", *(self.folder / "docs").rglob("*.md")]
        return {str(path.relative_to(self.folder)): path.read_text() for path in paths}

    def run_tests(self, *paths: str) -> str:
        """Run these tests of the copy; return the output. Fails if one fails."""
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths],
            cwd=self.folder,
            env=_environment(self.folder),
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
        return done.stdout


def _environment(folder: Path) -> dict[str, str]:
    """The environment of this process, with a database and Redis keys of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    if database := environment.get("DATABASE_URL"):
        address = urlsplit(database)
        environment["DATABASE_URL"] = urlunsplit(address._replace(path=f"/recipe_{os.getpid()}"))
    if template := connection.settings_dict["TEST"].get("TEMPLATE"):
        environment[database_template.GIVEN] = template
    return {**environment, "PYTHONPATH": str(folder), "REDIS_PREFIX": f"recipe-{os.getpid()}"}


def files_of_recipe(title: str, **names: str) -> set[str]:
    """The files that a recipe of CONTRIBUTING names, with its placeholders filled in."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    match = re.search(
        rf"^\*\*{re.escape(title)}\.\*\* Files: (.*?)\.\s(?=[A-Z])", text, re.M | re.S
    )
    assert match, f"CONTRIBUTING has no recipe {title!r} with its files"
    listed = " ".join(re.findall(r"`([^`]+)`", match[1]))
    for placeholder, value in names.items():
        listed = listed.replace(f"<{placeholder}>", value)
    return set(listed.split())


def assert_recipe_is_complete(
    repository: RepositoryCopy, title: str, names: Mapping[str, str]
) -> None:
    """The recipe names exactly the files that were touched."""
    assert repository.touched == files_of_recipe(title, **names)
