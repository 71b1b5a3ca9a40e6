"""Open pages as a role, and read their links and the numbers that are links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from unittest.mock import patch
from urllib.parse import parse_qsl, urljoin, urlsplit

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from visibility.web.permissions import UserRole

TO_NEXT_PAGE = re.compile(r"^(Next page|Older messages)")


@dataclass(frozen=True)
class Link:
    """A link of a page. `count`: the number of rows that it promises, or None."""

    url: str
    text: str
    count: int | None = None

    @property
    def kind(self) -> tuple[str, tuple[str, ...]]:
        """What links with other values have in common: the pattern and the names of parameters."""
        target = urlsplit(self.url)
        names = tuple(sorted({name for name, _ in parse_qsl(target.query)}))
        return resolve(target.path).route, names


class PageReader(HTMLParser):
    """The links of a page and the number of rows of its list."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._open: tuple[str, list[str], str | None] | None = None
        self.links: list[Link] = []
        self.rows = 0
        self.lists = 0
        self.next_url = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "data-list-rows" in values:
            self.rows += int(values["data-list-rows"])
            self.lists += 1
        self.lists += "empty" in values.get("class", "").split()
        if url := values.get("data-preview"):
            self.links.append(Link(urljoin(self._url, url), "preview"))
        if tag == "a" and "href" in values and values.get("target") != "_blank":
            self._open = urljoin(self._url, values["href"]), [], values.get("data-count-of-list")

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag != "a" or not self._open:
            return
        url, texts, count = self._open
        text = " ".join("".join(texts).split())
        if TO_NEXT_PAGE.match(text):
            self.next_url = url
        self.links.append(Link(url, text, None if count is None else int(count)))
        self._open = None


@dataclass
class Visitor:
    """One person with a browser, who opens every page once. `role`: None for nobody."""

    role: UserRole | None
    _opened: dict[str, tuple[int, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._client = Client(raise_request_exception=False)
        if self.role is not None:
            self._client.force_login(User.objects.get(groups__name=self.role.value))

    def open(self, url: str) -> tuple[int, str]:
        """The status and the content. Redirects are followed, but not to the sign-in."""
        url = url.partition("#")[0]
        if url not in self._opened:
            # The client copies the context of every template, which would take most of the time.
            _end_settings_of_transaction()
            with patch("django.test.client.store_rendered_templates"):
                answer = self._client.get(url)
            is_page = answer.headers.get("Content-Type", "").startswith("text/html")
            text = "" if answer.streaming or not is_page else answer.content.decode()
            self._opened[url] = answer.status_code, text
            target = answer.headers.get("Location", "")
            if target and not target.startswith("/signin"):
                self._opened[url] = self.open(urljoin(url, target))
        return self._opened[url]

    def forget(self) -> None:
        """Open pages again from now on."""
        self._opened.clear()

    def read(self, url: str) -> PageReader:
        """The links and the list of a page."""
        reader = PageReader(url)
        reader.feed(self.open(url)[1])
        return reader

    def count_rows(self, url: str) -> int | None:
        """The rows of the list at a URL, over all its pages; None if the page shows no list."""
        total, pages = 0, 0
        while url and pages < 50:
            page = self.read(url)
            if not page.lists:
                return None
            total, pages, url = total + page.rows, pages + 1, page.next_url
        return total


def _end_settings_of_transaction() -> None:
    """End what the request before set for its transaction, which is that of the whole walk here."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")


def all_patterns(resolver: URLResolver | None = None, before: str = "") -> Iterator[str]:
    """The route of every URL pattern."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from all_patterns(pattern, route)
