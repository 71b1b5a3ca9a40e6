"""Writes what the documents say about connectors: a page for each, and the table in README.md."""

import inspect
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from connectors.sdk.connector import Connector
from connectors.sdk.settings import Setting
from visibility.ingest.check_source_settings import connector_and_common_settings
from visibility.management.connector_examples import (
    arriving_events,
    load_samples,
    pick_example,
)

BEGIN = "<!-- Written by `manage.py connector_docs`. -->\n"
END = "<!-- End of the table of connectors. -->\n"
SETTINGS_HEAD = "| setting | value | meaning |\n|---|---|---|\n"
EVENTS_HEAD = "| event | meaning | codes in the samples |\n|---|---|---|\n"
README_HEAD = "| system | connector | how messages arrive |\n|---|---|---|\n"


def generate_document_texts_by_path(
    root: Path, connectors: Mapping[str, type[Connector]]
) -> dict[Path, str]:
    """Return the documents below `root` with their current text."""
    folder = root / "docs" / "systems"
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
        path for path in (root / "docs" / "systems").glob("*.md") if path.stem not in connectors
    )


def build_readme_connector_table(connectors: Mapping[str, type[Connector]]) -> str:
    """The table of all connectors, by title."""
    rows = [
        f"| {kind.title} | [`{slug}`](docs/systems/{slug}.md) | {kind.reception} |\n"
        for slug, kind in sorted(connectors.items(), key=lambda item: item[1].title.lower())
    ]
    return README_HEAD + "".join(rows)


def build_connector_markdown_page(kind: type[Connector]) -> str:
    """The page of one connector."""
    names = {setting.name for setting in kind.settings}
    common = [s for s in connector_and_common_settings(kind) if s.name not in names]
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
        f"## Set up\n\n{kind.setup or ' '.join(kind.derived_steps)}\n",
        *_markdown_list("Topics", kind.topics),
        *_markdown_list("Permissions", kind.permissions),
        f"    python3 manage.py source add NAME --connector {kind.slug}\n",
        *_markdown_arriving_events_and_example(kind),
        *_markdown_list("Not covered", kind.not_covered),
        "## Settings\n",
        own,
        "Settings of every source:\n",
        _markdown_settings_table(common),
    ]
    return "\n".join(blocks)


def _markdown_list(heading: str, items: Sequence[str]) -> list[str]:
    """A section with a list; nothing without items."""
    lines = "".join(f"- {item}\n" for item in items)
    return [f"## {heading}\n\n{lines}"] if items else []


def _markdown_arriving_events_and_example(kind: type[Connector]) -> list[str]:
    """The events that the samples give, and the example: a message and its events."""
    samples = load_samples(kind)
    rows = "".join(f"| `{n}` | {text} | {codes} |\n" for n, text, codes in arriving_events(samples))
    blocks = [f"## What arrives\n\n{EVENTS_HEAD}{rows}"] if rows else []
    example = pick_example(samples)
    if example is not None:
        types = ", ".join(dict.fromkeys(f"`{event['type']}`" for event in example.events))
        blocks.append(
            f"## Example\n\nThis message, the sample `{example.name}`, gives {types}:\n\n"
            f"{textwrap.indent(example.text.strip(), '    ')}\n"
        )
    return blocks


def _markdown_settings_table(settings: Sequence[Setting]) -> str:
    return SETTINGS_HEAD + "".join(_markdown_setting_row(setting) for setting in settings)


def _markdown_setting_row(setting: Setting) -> str:
    notes = [setting.type_description]
    if setting.required:
        notes.append("required")
    if setting.default:
        notes.append(f"default `{setting.default}`")
    return f"| `{setting.name}` | {'; '.join(notes)} | {setting.help} |\n"
