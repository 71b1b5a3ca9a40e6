"""The pages of the guide, and their HTML.

A page is a Markdown document of `docs/`. Links between documents become links between pages; a link
to a file that is no page of the guide becomes its text. Raw HTML is not rendered.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

FIRST_PAGE = "start"
SYSTEMS = "systems"
# By group, in the order of the navigation of the guide.
GUIDE: Mapping[str, Sequence[str]] = {
    "Every day": ("start", "orders", "alerts", "kpis"),
    "Set up": ("sources", "connect-a-3pl", "manifests", "rules", "notifications", "people"),
    "Operate": ("run", "backup", "upgrade", "security"),
    "Reference": ("glossary", "api", "events", "pipeline", "architecture"),
}
# By the first segment of the path of a page of the product: the page of the guide about it.
GUIDE_PAGE_OF_SEGMENT: Mapping[str, str] = {
    **dict.fromkeys(("orders", "search", "mentions", "joins", "track"), "orders"),
    **dict.fromkeys(("alerts", "boards", "screen-links"), "alerts"),
    **dict.fromkeys(("numbers", "kpi-targets"), "kpis"),
    **dict.fromkeys(("sources", "messages", "mappings", "outgoing-addresses"), "sources"),
    **dict.fromkeys(("rules", "calendars"), "rules"),
    **dict.fromkeys(("subscriptions", "mail-server", "deliveries"), "notifications"),
    **dict.fromkeys(("people", "teams", "account", "tokens", "audit"), "people"),
    **dict.fromkeys(("setup", "organization", "tour"), "start"),
    "manifests": "manifests",
    "system": "run",
}
PICTURE_TYPES: Mapping[str, str] = {".png": "image/png", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Section:
    """The text below one heading. `anchor` is empty above the first heading below the title."""

    anchor: str
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class GuidePage:
    """One page. `html` is safe. `sections` are what the search finds."""

    name: str
    title: str
    html: str
    sections: tuple[Section, ...]

    @property
    def url(self) -> str:
        """The path of the page."""
        return f"/help/{self.name}"

    @property
    def headings(self) -> list[Section]:
        """The sections with an anchor, for the table of contents."""
        return [section for section in self.sections if section.anchor]


@cache
def guide_names() -> frozenset[str]:
    """The names of all pages, those of connectors included."""
    listed = {name for names in GUIDE.values() for name in names}
    return frozenset(listed | set(system_names()))


@cache
def system_names() -> tuple[str, ...]:
    """The pages of the connectors, such as `systems/shopify`."""
    folder = _docs() / SYSTEMS
    return tuple(sorted(f"{SYSTEMS}/{path.stem}" for path in folder.glob("*.md")))


@cache
def load_guide_page(name: str) -> GuidePage:
    """Render one page. Raises KeyError for a name that is no page of the guide."""
    if name not in guide_names():
        raise KeyError(name)
    parser = _parser()
    tokens = parser.parse((_docs() / f"{name}.md").read_text(encoding="utf-8"))
    _rewrite_links(tokens, posixpath.dirname(name))
    tokens = [token for token in tokens if token.type != "html_block"]
    title, sections = _name_headings(tokens)
    html = parser.renderer.render(tokens, parser.options, {})
    # A wide table or listing scrolls by itself, also with the keyboard.
    html = html.replace("<table>", '<div class="scroll" tabindex="0"><table>')
    html = html.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')
    return GuidePage(name, title, html, tuple(sections))


def find_picture(name: str) -> Path | None:
    """The file of a picture of the documents; None if there is none of this name."""
    folder = _docs() / "pictures"
    return next((path for path in folder.iterdir() if path.name == name), None)


def guide_page_about(path: str) -> GuidePage:
    """The page of the guide about a page of the product."""
    return load_guide_page(GUIDE_PAGE_OF_SEGMENT.get(path.split("/")[1], FIRST_PAGE))


def _docs() -> Path:
    return Path(settings.BASE_DIR) / "docs"


def _parser() -> MarkdownIt:
    """CommonMark with tables."""
    return MarkdownIt("commonmark").enable("table")


def _name_headings(tokens: list[Token]) -> tuple[str, list[Section]]:
    """Give each heading an id; return the title and the text by section."""
    title, anchor, heading = "", "", ""
    texts: list[str] = []
    sections: list[Section] = []
    used: set[str] = set()
    for at, token in enumerate(tokens):
        if tokens[at - 1].type == "heading_open":
            continue
        if token.type == "heading_open":
            text = _plain_text(tokens[at + 1])
            if token.tag == "h1" and not title:
                title = heading = text
                continue
            sections.append(Section(anchor, heading, " ".join(texts)))
            anchor, heading, texts = _unused_anchor(text, used), text, []
            token.attrSet("id", anchor)
        elif token.type in {"inline", "fence", "code_block"}:
            texts.append(_plain_text(token))
    sections.append(Section(anchor, heading, " ".join(texts)))
    return title, [section for section in sections if section.text.strip()]


def _unused_anchor(text: str, used: set[str]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"
    anchor, number = plain, 2
    while anchor in used:
        anchor, number = f"{plain}-{number}", number + 1
    used.add(anchor)
    return anchor


def _plain_text(token: Token) -> str:
    if token.children is None:
        return token.content
    return "".join(
        " " if child.type in {"softbreak", "hardbreak"} else child.content
        for child in token.children
        if child.type != "html_inline"
    )


def _rewrite_links(tokens: Sequence[Token], folder: str) -> None:
    """Let links and pictures lead to the product; drop the other links and raw HTML."""
    for token in tokens:
        if token.children is not None:
            token.children = list(_rewritten_children(token.children, folder))


def _rewritten_children(children: Iterable[Token], folder: str) -> Iterator[Token]:
    is_dropped: list[bool] = []
    for child in children:
        if child.type == "html_inline":
            continue
        if child.type == "link_open":
            address = _address(str(child.attrGet("href") or ""), folder)
            is_dropped.append(not address)
            child.attrSet("href", address)
        elif child.type == "image":
            picture = posixpath.basename(str(child.attrGet("src") or ""))
            child.attrSet("src", f"/help/pictures/{picture}")
        if child.type == "link_open" and is_dropped[-1]:
            continue
        if child.type == "link_close" and is_dropped.pop():
            continue
        yield child


def _address(href: str, folder: str) -> str:
    """The address of a link on a page of the guide; empty if it leads to no page."""
    link = urlsplit(href)
    if link.scheme or link.netloc:
        return href
    fragment = f"#{link.fragment}" if link.fragment else ""
    if not link.path:
        return fragment
    if link.path.startswith("/"):
        return href
    name = posixpath.normpath(posixpath.join(folder, link.path)).removesuffix(".md")
    return f"/help/{name}{fragment}" if name in guide_names() else ""
