"""Writes what the documents say about connectors: a page for each, and the table in README.md."""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path

from connectors.sdk.connector import Connector
from connectors.sdk.settings import Setting
from visibility.ingest.check_source_settings import COMMON_SETTINGS, DROP_FOLDER

BEGIN = "<!-- Written by `manage.py connector_docs`. -->\n"
END = "<!-- End of the table of connectors. -->\n"
SETTINGS_HEAD = "| setting | value | meaning |\n|---|---|---|\n"
README_HEAD = "| system | connector | how messages arrive |\n|---|---|---|\n"


def generate_document_texts_by_path(
    root: Path, connectors: Mapping[str, type[Connector]]
) -> dict[Path, str]:
    """Return the documents below `root` with their current text."""
    folder = root / "docs" / "connectors"
    files = {
        folder / f"{slug}.md": build_connector_markdown_page(kind)
        for slug, kind in connectors.items()
    }
    readme = root / "README.md"
    before, _, remainder = readme.read_text().partition(BEGIN)
    _, _, after = remainder.partition(END)
    files[readme] = f"{before}{BEGIN}{build_readme_connector_table(connectors)}{END}{after}"
    return files


def pages_of_removed_connectors(
    root: Path, connectors: Mapping[str, type[Connector]]
) -> list[Path]:
    """Return pages of connectors that no longer exist."""
    return sorted(
        path for path in (root / "docs" / "connectors").glob("*.md") if path.stem not in connectors
    )


def build_readme_connector_table(connectors: Mapping[str, type[Connector]]) -> str:
    """The table of all connectors, by title."""
    rows = [
        f"| {kind.title} | [`{slug}`](docs/connectors/{slug}.md) | {kind.reception} |\n"
        for slug, kind in sorted(connectors.items(), key=lambda item: item[1].title.lower())
    ]
    return README_HEAD + "".join(rows)


def build_connector_markdown_page(kind: type[Connector]) -> str:
    """The page of one connector."""
    names = {setting.name for setting in kind.settings}
    common = [s for s in (*COMMON_SETTINGS, DROP_FOLDER) if s.name not in names]
    if not kind.accepts_files:
        common.remove(DROP_FOLDER)
    own = (
        _markdown_settings_table(kind.settings)
        if kind.settings
        else "It has no settings of its own.\n"
    )
    blocks = [
        f"# {kind.title}\n",
        f"{inspect.getdoc(kind)}\n",
        f"| | |\n|---|---|\n| connector | `{kind.slug}` |\n| role | {kind.role.value} |\n"
        f"| how messages arrive | {kind.reception} |\n",
        *([f"## Set up\n\n{kind.setup}\n"] if kind.setup else []),
        f"    python3 manage.py source add NAME --connector {kind.slug}\n",
        "## Settings\n",
        own,
        "Settings of every source:\n",
        _markdown_settings_table(common),
    ]
    return "\n".join(blocks)


def _markdown_settings_table(settings: Sequence[Setting]) -> str:
    return SETTINGS_HEAD + "".join(_markdown_setting_row(setting) for setting in settings)


def _markdown_setting_row(setting: Setting) -> str:
    notes = [setting.type_description]
    if setting.required:
        notes.append("required")
    if setting.default:
        notes.append(f"default `{setting.default}`")
    return f"| `{setting.name}` | {'; '.join(notes)} | {setting.help} |\n"
