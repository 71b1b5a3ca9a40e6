"""What the template of the activity list needs: its rows, filters, order and pages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.http import QueryDict
from django.utils.http import urlencode

from visibility.db.parse_id_and_time import parse_page_number
from visibility.screens.orders.activity import ActivityContents, activity_page
from visibility.screens.orders.activity_filter import (
    PAGE_SIZE,
    ActivityFilter,
    lines_to_filter_by,
    objects_to_filter_by,
)

ONLY = (
    ("", "All"),
    ("status", "Changes of status"),
    ("exceptions", "Exceptions"),
    ("people", "People"),
)


@dataclass(frozen=True, slots=True)
class FilterMenu:
    """The values of one filter, which are too many for chips: (label, address) of each.

    `chosen` and `without`: the label of the chosen value, and the address without it.
    """

    title: str
    choices: tuple[tuple[str, str], ...]
    chosen: str
    without: str


def activity_context(
    query: QueryDict, contents: ActivityContents, *, back: str, oldest_first: bool
) -> dict[str, Any]:
    """`back`: the query parameters that links pass on. `oldest_first`: the person's choice."""
    lines = lines_to_filter_by(contents.timeline)
    objects = {each.value: each.label for each in objects_to_filter_by(contents.timeline)}
    wanted = _requested_filter(query, contents, lines, objects, oldest_first=oldest_first)
    is_chosen_by_address = query.get("sort", "") in {"oldest", "newest"}
    shown = activity_page(contents, wanted)
    number, count = shown.events.number, shown.events.page_count
    links = _Links(back, is_sorted=is_chosen_by_address)
    first = (number - 1) * PAGE_SIZE + 1
    return {
        "activity": shown,
        "oldest_first": wanted.oldest_first,
        "sort_url": _Links(back, is_sorted=False).url(replace(wanted, page=1), fragment=""),
        "events_shown": (first, first + len(shown.events.entries) - 1),
        "previous_events": links.url(replace(wanted, page=number - 1)) if number > 1 else "",
        "next_events": links.url(replace(wanted, page=number + 1)) if number < count else "",
        "filters": _filter_chips(contents, replace(wanted, page=1), links),
        "filter_menus": [
            _menu("Line", "line", lines, wanted, links),
            _menu("Object", "about", objects, wanted, links),
        ],
        "is_filtered": bool(wanted.only or wanted.is_about_events_only),
    }


def _requested_filter(
    query: QueryDict,
    contents: ActivityContents,
    lines: Mapping[str, str],
    objects: Mapping[str, str],
    *,
    oldest_first: bool,
) -> ActivityFilter:
    def known(name: str, values: Iterable[str]) -> str:
        value = query.get(name, "")
        return value if value in values else ""

    sort = query.get("sort", "")
    return ActivityFilter(
        source=known("source", contents.reports),
        only=known("only", dict(ONLY)),
        replaced=query.get("replaced", "") == "1",
        line=known("line", lines),
        about=known("object", objects),
        oldest_first=sort == "oldest" or (oldest_first and sort != "newest"),
        page=parse_page_number(query.get("page", "")),
    )


@dataclass(frozen=True, slots=True)
class _Links:
    """Addresses of the page with other filters. `is_sorted`: they name the order of the list."""

    back: str
    is_sorted: bool

    def url(self, wanted: ActivityFilter, *, fragment: str = "#activity-head") -> str:
        values = {
            "source": wanted.source,
            "only": wanted.only,
            "replaced": "1" if wanted.replaced else "",
            "line": wanted.line,
            "object": wanted.about,
            "sort": ("oldest" if wanted.oldest_first else "newest") if self.is_sorted else "",
            "page": str(wanted.page) if wanted.page > 1 else "",
        }
        chosen = {name: value for name, value in values.items() if value}
        return f"?{urlencode({'tab': 'timeline', **chosen})}{self.back}{fragment}"


def _menu(
    title: str, name: str, labels: Mapping[str, str], wanted: ActivityFilter, links: _Links
) -> FilterMenu:
    def url(value: str) -> str:
        values: dict[str, Any] = {name: value}
        return links.url(replace(wanted, page=1, **values))

    value = getattr(wanted, name)
    return FilterMenu(
        title=title,
        choices=tuple((label, url(key)) for key, label in labels.items() if key != value),
        chosen=labels.get(value, ""),
        without=url(""),
    )


def _filter_chips(
    contents: ActivityContents, wanted: ActivityFilter, links: _Links
) -> list[tuple[str, str, bool]]:
    """(label, URL, is chosen) of the filters with few values."""
    chips = []
    for code, title in ONLY:
        others = wanted if code else replace(wanted, source="", line="", about="")
        is_chosen = wanted.only == code and (bool(code) or not wanted.is_about_events_only)
        chips.append((title, links.url(replace(others, only=code)), is_chosen))
    slugs = dict.fromkeys(entry.recorded.source for entry in contents.timeline.entries)
    for slug in slugs:
        is_chosen = wanted.source == slug
        title = contents.reports[slug].title if slug in contents.reports else slug
        address = links.url(replace(wanted, source="" if is_chosen else slug))
        chips.append((title, address, is_chosen))
    count = sum(entry.superseded for entry in contents.timeline.entries)
    if count:
        address = links.url(replace(wanted, replaced=not wanted.replaced))
        chips.append((f"Replaced events ({count})", address, wanted.replaced))
    return chips
