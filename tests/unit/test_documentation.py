"""The documents name every setting, connector, package and API call, and their links exist."""

import re
from pathlib import Path

import pytest
from django.urls import resolve

from visibility.launcher.instance_lock_and_environment import CHECKOUT as ROOT
from visibility.web.permission_labels import ROLE_TITLES
from visibility.web.permissions import ROLE_PERMISSIONS

README = (ROOT / "README.md").read_text()
SECURITY = (ROOT / "docs" / "security.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SETTING_READ = re.compile(r'(?:env_\w+|text|integer|boolean|items)\(\s*"([A-Z_]+)"')


def test_every_setting_is_in_the_readme() -> None:
    named = {
        name
        for path in (ROOT / "visibility").rglob("*.py")
        if not {"launcher", "simulator", "management"} & set(path.parts)
        and path.name != "environment.py"
        for name in SETTING_READ.findall(path.read_text())
    }
    assert "SECRET_KEY" in named
    assert sorted(name for name in named if f"`{name}`" not in README) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_local_links_exist(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_has_the_marks_of_an_unresolved_merge(path: Path) -> None:
    assert re.findall(r"^(?:<{7}|={7}|>{7})(?: .*)?$", path.read_text(), re.MULTILINE) == []


def test_the_readme_links_to_every_document() -> None:
    pages = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")]
    assert len(pages) > 5
    assert [page for page in [*pages, "CONTRIBUTING.md"] if f"]({page})" not in README] == []


def test_evidence_of_the_security_page_exists() -> None:
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    defined = set(re.findall(r"^def (test_\w+)", source, re.M))
    named = set(re.findall(r"`(test_\w+)`", SECURITY))
    assert len(named) > 40
    assert sorted(named - defined) == []
    files = set(re.findall(r"`((?:visibility|templates)/[\w/.]+)`", SECURITY))
    assert len(files) > 10
    assert sorted(name for name in files if not (ROOT / name).exists()) == []


def test_permissions_on_the_security_page_are_those_of_the_code() -> None:
    titles = " | ".join(ROLE_TITLES.values())
    _, _, table = SECURITY.partition(f"| permission | {titles} |\n")
    rows = table.split("\n\n")[0].splitlines()[1:]
    expected = []
    for permission, roles in ROLE_PERMISSIONS.items():
        cells = " | ".join("yes" if role in roles else "no" for role in ROLE_TITLES)
        expected.append(f"| `{permission}` | {cells} |")
    assert rows == expected


def test_every_package_is_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    packages = [path.parent.name for path in (ROOT / "visibility").glob("*/__init__.py")]
    assert len(packages) > 15
    assert [name for name in packages if f"`visibility/{name}/" not in text] == []


def test_every_documented_call_exists() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    paths = re.findall(r"`(?:GET|POST|PUT|PATCH|DELETE) ([a-z][^`? ]*)", text)
    assert len(paths) > 25
    unknown = resolve("/api/v1/no-such-call").func
    values = {"id": "1", "table": "item", "type": "order.released"}
    for path in paths:
        concrete = re.sub(r"<(\w+)>", lambda match: values.get(match[1], "x"), path)
        assert resolve(f"/api/v1/{concrete}").func is not unknown, path


def test_every_connector_is_in_the_readme() -> None:
    slugs = {p.parent.name for p in (ROOT / "connectors" / "systems").glob("*/connector.py")}
    assert sorted(slug for slug in slugs if f"`{slug}`" not in README) == []


def test_templates_load_nothing_from_other_hosts() -> None:
    remote = re.compile(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']https?://")
    pages = (ROOT / "templates").rglob("*.html")
    assert [p.name for p in pages if remote.search(p.read_text())] == []
