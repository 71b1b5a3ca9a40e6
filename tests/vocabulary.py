"""Check names and prose against `banned_words.txt`: `python -m tests.vocabulary [PATH ...]`.

Python files are read as syntax trees and tokens, so that a word in a name, a docstring, a comment
or a string is distinguished from one in an imported name. Templates are read without their tags.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BANNED_FILE = Path(__file__).parent / "banned_words.txt"
ALLOWED = Path(__file__).parent / "banned_words_allowed.txt"
SUFFIXES = {".css", ".html", ".js", ".md", ".py", ".sh", ".svg", ".toml", ".yml"}
# Lists of the words themselves, texts of others, and generated files.
EXCLUDED = (
    "static/vendor/*",
    "tests/banned_words*.txt",
    "docs/glossary.md",
    "docs/renames.md",
    "tests/unit/test_vocabulary.py",
    "*/samples/*",
    "tests/db/export/schema/*",
    "tests/db/export/schema/*",
)
NAME_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
TEMPLATE_TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>|\{#.*?#\}", re.DOTALL)
Hit = tuple[int, str, str]


@dataclass(frozen=True)
class Banned:
    """The banned words: single words for names, a pattern for prose."""

    names: frozenset[str]
    prose: re.Pattern[str]

    @classmethod
    def read(cls) -> "Banned":
        """Read `banned_words.txt`."""
        sections: dict[str, list[str]] = {"names": [], "prose": []}
        current = sections["names"]
        for line in BANNED_FILE.read_text().splitlines():
            if line.startswith("["):
                current = sections[line.strip("[]")]
            elif line and not line.startswith("#"):
                current.append(line)
        phrases = "|".join(re.escape(phrase).replace(r"\ ", r"\s+") for phrase in sections["prose"])
        return cls(frozenset(sections["names"]), re.compile(rf"\b({phrases})\b", re.IGNORECASE))

    def in_name(self, name: str) -> Iterator[str]:
        """Each banned word that is a part of this name."""
        for term in NAME_TOKEN.findall(name):
            if term.lower() in self.names:
                yield term.lower()

    def in_prose(self, text: str, line: int) -> Iterator[Hit]:
        """Each banned word or phrase of a text that starts on `line`."""
        for match in self.prose.finditer(text):
            phrase = re.sub(r"\s+", " ", match.group(1).lower())
            yield line + text.count("\n", 0, match.start()), phrase, "prose"


def hits(path: Path, banned: Banned) -> Iterator[Hit]:
    """(line, term, where) for each banned word of one file."""
    relative = path.relative_to(ROOT)
    for term in banned.in_name(relative.stem):
        yield 0, term, "file name"
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from _in_names(ast.parse(text), banned)
        yield from _in_tokens(text, banned)
    elif path.suffix == ".html":
        yield from banned.in_prose(TEMPLATE_TAG.sub(_blank, text), 1)
    else:
        yield from banned.in_prose(text, 1)


def _blank(match: re.Match[str]) -> str:
    """The same number of lines without the text."""
    return " " + "\n" * match.group().count("\n")


def _in_names(tree: ast.AST, banned: Banned) -> Iterator[Hit]:
    """Names that the file defines; names that it imports belong to others."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        for name in _defined(node):
            if name.startswith("test_"):
                # The name of a test is a sentence.
                yield from banned.in_prose(name.replace("_", " "), line)
            else:
                yield from ((line, term, f"name {name}") for term in banned.in_name(name))


def _defined(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name
    elif isinstance(node, ast.alias) and node.asname:
        yield node.asname


def _in_tokens(text: str, banned: Banned) -> Iterator[Hit]:
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in kinds:
            yield from banned.in_prose(token.string, token.start[0])


def tracked(arguments: list[str]) -> Iterator[Path]:
    """The tracked files below these paths."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        path = ROOT / name
        excluded = any(fnmatchcase(name, pattern) for pattern in EXCLUDED)
        if path.suffix in SUFFIXES and path.exists() and not excluded:
            yield path


def allowed() -> dict[tuple[str, str], str]:
    """(path pattern, word) -> reason."""
    rows = [line for line in ALLOWED.read_text().splitlines() if line and line[0] != "#"]
    split = [row.split("\t") for row in rows]
    return {(path, term): reason for path, term, reason in split}


def main(arguments: list[str]) -> int:
    """Print every hit that no line of the allow list covers; exit with 1 if there is one."""
    banned, exceptions, used = Banned.read(), allowed(), set()
    count = 0
    for path in tracked(arguments):
        name = path.relative_to(ROOT).as_posix()
        for line, term, where in hits(path, banned):
            rows = [row for row in exceptions if row[1] == term and fnmatchcase(name, row[0])]
            used.update(rows)
            if not rows:
                count += 1
                print(f"{name}:{line}: {term!r} in {where}")
    unused = [] if arguments else sorted(set(exceptions) - used)
    for pattern, term in unused:
        print(f"{ALLOWED.name}: {term!r} is no longer used in {pattern}")
    print(f"{count} banned words, {len(unused)} unneeded exceptions")
    return 1 if count or unused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
