"""The check of names and prose reports banned words; class names are unique."""

import ast
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from tests.vocabulary import ALLOWED, Banned, hits
from visibility.launcher.instance_lock_and_environment import CHECKOUT

# Inner classes and names that Django, pytest or the registries prescribe.
REPEATED = {"Command", "Meta", "Migration", "Params"}
# The product that the bench compares with is an application of its own.
OTHER_PRODUCT = "tests/bench/plain/"


def reported(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The banned words that the check reports for a file with this text."""
    monkeypatch.setattr("tests.vocabulary.ROOT", folder)
    path = folder / name
    path.write_text(text)
    return {term for _, term, _ in hits(path, Banned.read())}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.py", "def told(): ...\n", {"told"}),
        ("a.py", "def f(heard_at): ...\n", {"heard"}),
        ("a.py", "class KeptRow: ...\n", {"kept"}),
        ("a.py", "x.stands = 1\n", {"stands"}),
        ("a.py", '"""What was told."""\n', {"told"}),
        ("a.py", "x = 1  # whoever comes second\n", {"whoever"}),
        ("a.py", 'x = f"{1} was said"\n', {"said"}),
        ("a.py", "def test_what_was_said_is_stored(): ...\n", {"said"}),
        ("told.py", "", {"told"}),
        ("a.html", '<p class="told">nothing said</p>', {"said"}),
        ("a.md", "It goes\nby its number.", {"goes by"}),
        ("a.py", "from somewhere import told\n", set()),
        ("a.py", "# one part of a file was found again\n", set()),
        ("a.html", "{% load told %}{{ said }}", set()),
    ],
)
def test_banned_words_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, expected: set[str]
) -> None:
    assert reported(tmp_path, name, text, monkeypatch) == expected


def test_every_exception_has_a_reason() -> None:
    rows = [line for line in ALLOWED.read_text().splitlines() if line and line[0] != "#"]
    assert all(len(row.split("\t")) == 3 and row.split("\t")[2].strip() for row in rows)


def test_class_names_are_unique() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    locations: dict[str, list[str]] = defaultdict(list)
    for name in listed.stdout.splitlines():
        if name.startswith(OTHER_PRODUCT) or not (CHECKOUT / name).exists():
            continue
        for node in ast.walk(ast.parse((CHECKOUT / name).read_text())):
            if isinstance(node, ast.ClassDef) and node.name not in REPEATED:
                locations[node.name].append(f"{name}:{node.lineno}")
    assert len(locations) > 300
    assert {name: where for name, where in locations.items() if len(where) > 1} == {}
