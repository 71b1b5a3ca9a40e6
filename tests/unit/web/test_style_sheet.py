"""Every class in the markup is in the style sheet, and every class of the style sheet is used."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

from visibility.launcher.instance_lock_and_environment import CHECKOUT as ROOT

SHEET = ROOT / "static" / "css" / "throughline.css"
# Classes that only scripts look for.
HOOKS: frozenset[str] = frozenset()
# The style sheet of the vendored API documentation page, which does not load ours.
VENDORED_PAGE = "api.css"
ATTRIBUTE = re.compile(r'\bclass="((?:\{%.*?%\}|\{\{.*?\}\}|[^"])*)"')
BODY_CLASS = re.compile(r"\{% block frame_class %\}(.*?)\{% endblock %\}")
IN_PYTHON = re.compile(r"""class=\\?["']([^"'\\]*)""")
IN_SCRIPT = re.compile(
    r'(?:className[:=]\s*|classList\.\w+\(|element\("\w+", )"([^"]+)"|class="([^"$]+)'
)
SELECTOR_NAME = re.compile(r"\.([a-zA-Z][\w-]*)")
# In the place of a value that is known only when the page is rendered.
ANY = "\0"


def defined(sheet: Path) -> set[str]:
    """The classes that a style sheet has rules for."""
    text = re.sub(r'/\*.*?\*/|"[^"]*"|url\([^)]*\)', "", sheet.read_text(), flags=re.DOTALL)
    return set(SELECTOR_NAME.findall(text))


def classes_of_template(text: str) -> Iterator[str]:
    """The classes in a template; an expression in one is ANY."""
    for value in [*ATTRIBUTE.findall(text), *BODY_CLASS.findall(text)]:
        yield from re.sub(r"\{\{.*?\}\}", ANY, re.sub(r"\{%.*?%\}", " ", value)).split()


def used() -> Iterator[tuple[str, str]]:
    """(class, file) of the markup in templates, Python and scripts."""
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for name in classes_of_template(path.read_text()):
            yield name, path.relative_to(ROOT).as_posix()
    for path in sorted((ROOT / "visibility").rglob("*.py")):
        for value in IN_PYTHON.findall(path.read_text()):
            for name in re.sub(r"\{.*?\}", ANY, value).split():
                yield name, path.relative_to(ROOT).as_posix()
    for path in sorted((ROOT / "static" / "js").glob("*.js")):
        for either in IN_SCRIPT.findall(path.read_text()):
            for name in " ".join(either).split():
                yield name, path.relative_to(ROOT).as_posix()


def matches(name: str, known: set[str]) -> bool:
    """Whether a class, possibly with ANY in it, is among the known ones."""
    if ANY not in name:
        return name in known
    pattern = re.compile(re.escape(name).replace(re.escape(ANY), r"[\w-]*"))
    return any(pattern.fullmatch(each) for each in known)


def test_every_class_in_the_markup_is_defined() -> None:
    sheets = [path for path in SHEET.parent.glob("*.css") if path.name != VENDORED_PAGE]
    known = set.union(*(defined(sheet) for sheet in sheets)) | HOOKS
    unknown = {
        f"{name.replace(ANY, '*')} in {path}"
        for name, path in used()
        if not matches(name, known) and name != ANY
    }
    assert sorted(unknown) == []


def test_every_class_of_the_style_sheet_is_used() -> None:
    names = {name for name, _ in used()} - {ANY}
    unused = {each for each in defined(SHEET) if not any(matches(name, {each}) for name in names)}
    assert sorted(unused) == []


def test_hooks_are_used_and_not_styled() -> None:
    names = {name for name, _ in used()}
    assert names >= HOOKS
    assert not HOOKS & defined(SHEET)


def test_the_style_sheet_stays_small_and_has_colors_only_in_its_tokens() -> None:
    text = SHEET.read_text()
    assert len(gzip.compress(text.encode())) < 17_300
    rules = text[text.index("/* Base ---") :]
    raw = re.findall(r"#[0-9a-f]{3,8}\b", re.sub(r"light-dark\([^)]*\)", "", rules))
    assert set(raw) <= {"#08121c80", "#fff", "#333"}  # behind dialogs; print
