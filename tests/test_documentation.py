"""What the documents promise is there: settings, commands, pictures."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
READS = re.compile(r'(?:text|integer|boolean|items)\(\s*"([A-Z_]+)"')


def test_every_setting_is_in_the_readme() -> None:
    named = {
        name
        for path in (ROOT / "visibility").rglob("*.py")
        if not {"launcher", "simulator", "management"} & set(path.parts)
        and path.name != "environment.py"
        for name in READS.findall(path.read_text())
    }
    assert "SECRET_KEY" in named
    assert sorted(name for name in named if f"`{name}`" not in README) == []


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) > 3
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_connector_is_in_the_readme() -> None:
    slugs = {p.parent.name for p in (ROOT / "connectors" / "systems").glob("*/connector.py")}
    assert sorted(slug for slug in slugs if f"`{slug}`" not in README) == []


def test_nothing_is_loaded_from_elsewhere() -> None:
    remote = re.compile(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']https?://")
    pages = (ROOT / "templates").rglob("*.html")
    assert [p.name for p in pages if remote.search(p.read_text())] == []
