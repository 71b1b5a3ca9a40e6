"""The numbers: all of them, one of them, the orders behind one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from visibility.db.clock import database_now
from visibility.kpi import drilldown
from visibility.kpi import query as numbers
from visibility.kpi.kpi import Kpi
from visibility.kpi.query import DIMENSIONS, Filters, Span
from visibility.kpi.registry import shelf
from visibility.screens.kpis import labels, page
from visibility.timeline.answer import TITLES
from visibility.timeline.model import Status
from visibility.web.permissions import Right, may, needs

LONGEST = 731
PRESETS = (
    ("now-7d", "7 days", 7),
    ("now-28d", "28 days", 28),
    ("now-90d", "90 days", 90),
    ("month", "This month", 0),
)
# The address of a channel, warehouse or group that nobody told.
UNKNOWN = "none"
NAMES = {"channel": "channel", "warehouse": "warehouse", "group": "customer_group"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for, and what it was taken for where it can't be read."""

    span: Span
    today: date
    filters: Filters
    said: str
    problem: str
    query: Mapping[str, str]

    def link(self, **changes: str) -> str:
        """The query string with some parts changed; an empty one is left out."""
        parts = {**self.query, **changes}
        return urlencode({name: value for name, value in parts.items() if value})


@needs(Right.NUMBERS)
def overview(request: HttpRequest) -> HttpResponse:
    """All numbers over a span."""
    now = database_now()
    asked = _asked(request, now)
    chosen = shelf().get(request.GET.get("kpi", ""), shelf()["fill_rate"])
    found = page.overview(
        span=asked.span, filters=asked.filters, matrix=chosen, now=now, said=asked.said
    )
    context = {
        "found": found,
        "kpis": [(kpi, asked.link(kpi=code), kpi is chosen) for code, kpi in shelf().items()],
        "matrix": _linked_matrix(found, asked),
        "undelivered": _undelivered(asked),
    }
    return render(request, "kpis/overview.html", _frame(asked, now, found.choices) | context)


@needs(Right.NUMBERS)
def one(request: HttpRequest, code: str) -> HttpResponse:
    """One number: trend, spread, breakdowns, definition."""
    kpi = _kpi(code)
    now = database_now()
    asked = _asked(request, now)
    found = page.one(kpi, span=asked.span, filters=asked.filters, now=now, said=asked.said)
    address = {dimension: name for name, dimension in NAMES.items()}
    tables = [
        (
            title,
            [
                (cell, labels.name(cell.row), _orders(asked, {address[dimension]: cell.row}))
                for cell in cells
            ],
        )
        for dimension, title, cells in found.tables
    ]
    context = {
        "found": found,
        "kpi": kpi,
        "tables": tables,
        "parts": drilldown.part_titles(kpi),
        "undelivered": _undelivered(asked),
    }
    return render(request, "kpis/one.html", _frame(asked, now, found.choices) | context)


@needs(Right.NUMBERS)
def orders(request: HttpRequest, code: str) -> HttpResponse:
    """The orders behind a number; their counts are the number's own."""
    kpi = _kpi(code)
    now = database_now()
    asked = _asked(request, now)
    parts: tuple[drilldown.Part | drilldown.Aside, ...] = (*drilldown.PARTS, drilldown.ASIDE)
    part = next((p for p in parts if p == request.GET.get("part")), drilldown.PARTS[0])
    reason = asked.query.get("reason", "") if part in {"excluded", drilldown.ASIDE} else ""
    after = request.GET.get("after", "").replace("\0", "")
    tallies, reasons = drilldown.tallies(kpi, asked.span, asked.filters)
    rows = drilldown.orders(kpi, asked.span, asked.filters, part=part, reason=reason, after=after)
    summary = numbers.summary(kpi, asked.span, asked.filters)
    titles = drilldown.part_titles(kpi)
    shown = rows[: drilldown.PAGE]
    contacts = may(request.user, Right.CONTACTS)
    context = {
        "kpi": kpi,
        "part": part,
        "reason": labels.reason(kpi, reason) if reason else "",
        "asides": [
            (text, asked.link(part=drilldown.ASIDE, reason=code), code == reason)
            for code, _, text in labels.set_aside(summary.aside)
        ],
        "aside": (
            drilldown.set_aside(kpi, asked.span, asked.filters),
            asked.link(part=drilldown.ASIDE, reason=""),
        )
        if summary.aside or part == drilldown.ASIDE
        else None,
        "summary": summary,
        "sentence": _sum_sentence(kpi, asked, summary),
        "tabs": [
            (titles[p], tallies[p], asked.link(part=p, reason=""), p == part)
            for p in ("missed", "counted", "excluded")
        ],
        "reasons": [
            (labels.reason(kpi, r), n, asked.link(part="excluded", reason=r), r == reason)
            for r, n in reasons.items()
        ],
        "rows": [
            (
                row,
                (row.customer_name if contacts else "") or row.customer_no,
                TITLES[Status(row.status)] if row.status else "",
                "; set aside: ".join(
                    [
                        labels.counts_as(kpi, row.numerator, row.denominator, row.excluded),
                        *(text for _, _, text in labels.set_aside(row.aside)),
                    ]
                ),
                labels.name(row.channel),
                labels.name(row.warehouse),
            )
            for row in shown
        ],
        "next": asked.link(part=part, reason=reason, after=shown[-1].place)
        if len(rows) > drilldown.PAGE
        else "",
        "first": asked.link(part=part, reason=reason) if after else "",
    }
    choices = numbers.choices(asked.span)
    return render(request, "kpis/orders.html", _frame(asked, now, choices) | context)


def _kpi(code: str) -> Kpi:
    kpi = shelf().get(code)
    if kpi is None:
        raise Http404(code)
    return kpi


def _sum_sentence(kpi: Kpi, asked: Asked, found: numbers.Summary) -> str:
    value = labels.figure(kpi, found.headline(kpi))
    return f"{asked.said}: {kpi.title.lower()} {value}, {labels.population(kpi, found)}"


def _asked(request: HttpRequest, now: datetime) -> Asked:
    """The span and filters of the address; an unreadable span is the last 28 days, and said so."""
    today = now.astimezone(ZoneInfo(settings.TIME_ZONE)).date()
    told = {name: request.GET.get(name, "").replace("\0", "")[:200] for name in request.GET}
    get = {name: told[name] for name in ("from", "to", *NAMES) if told.get(name)}
    kept = {name: told[name] for name in ("kpi", "part", "reason") if told.get(name)}
    problem = ""
    try:
        span = _span(get.get("from", "now-28d"), get.get("to", "now"), today)
    except ValueError as error:
        span, problem = Span(today - timedelta(days=27), today), str(error)
        get.pop("from", None)
        get.pop("to", None)
    day = request.GET.get("day", "")
    if day:
        try:
            span = Span(date.fromisoformat(day), date.fromisoformat(day))
            kept["day"] = day
        except ValueError:
            problem = "The day can't be read"
    filters = Filters(
        **{
            field: "" if get[name] == UNKNOWN else get[name]
            for name, field in NAMES.items()
            if name in get
        }
    )
    return Asked(span, today, filters, _said(span, today), problem, {**get, **kept})


def _span(start: str, end: str, today: date) -> Span:
    """`now-28d`, `month` or dates; the last day is counted."""
    last = today if end == "now" else _date(end)
    if start == "month":
        return Span(today.replace(day=1), today)
    if start.startswith("now-") and start.endswith("d") and start[4:-1].isdecimal():
        days = int(start[4:-1]) if len(start) < 10 else LONGEST + 1
        first = last - timedelta(days=max(min(days, LONGEST), 1) - 1)
        return Span(first, last)
    first = _date(start)
    if first > last:
        raise ValueError("The first day lies after the last")
    if (last - first).days >= LONGEST:
        raise ValueError("A span of more than two years is not shown")
    return Span(first, last)


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text[:10])
    except ValueError:
        raise ValueError("The dates can't be read") from None
    if not 2000 <= found.year <= 2200:
        raise ValueError("The dates can't be read")
    return found


def _said(span: Span, today: date) -> str:
    if span.end == today:
        if span.days == 1:
            return "Today so far"
        if span.start == today.replace(day=1):
            return "This month"
        return f"Last {span.days} days"
    if span.days == 1:
        return f"On {_day(span.start)}"
    return f"{_day(span.start)} to {_day(span.end)}"


def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}"


def _frame(asked: Asked, now: datetime, choices: Mapping[Any, Any]) -> dict[str, Any]:
    """What each of the pages has: span, presets, filters."""
    current = asked.query.get("from", "now-28d")
    selects = []
    for name, field in NAMES.items():
        chosen = asked.query.get(name, "")
        options = [(v or UNKNOWN, labels.name(v)) for v in choices.get(field, [])]
        if chosen and chosen not in [value for value, _ in options]:
            options.append((chosen, chosen))
        selects.append((name, DIMENSIONS[field], options, chosen))  # type: ignore[index]  # ours
    return {
        "asked": asked,
        "now": now,
        "selects": selects,
        "chips": [
            (title, dict(options).get(chosen, chosen), asked.link(**{name: ""}))
            for name, title, options, chosen in selects
            if chosen
        ],
        "presets": [
            (title, asked.link(**{"from": code, "to": "", "day": ""}), code == current)
            for code, title, _ in PRESETS
        ],
        "query": asked.link(kpi="", part="", reason="", day=""),
        "today": asked.span.start <= asked.today <= asked.span.end,
    }


def _orders(asked: Asked, narrowed: Mapping[str, str]) -> str:
    """The address part of the orders of a slice."""
    slices = {name: value or UNKNOWN for name, value in narrowed.items()}
    return asked.link(kpi="", **slices)


def _undelivered(asked: Asked) -> str:
    """The address part of the orders not yet delivered; none where the list can't ask for them."""
    chosen = {name: asked.query[name] for name in NAMES if name in asked.query}
    return "" if UNKNOWN in chosen.values() else urlencode({**chosen, "undelivered": "1"})


def _linked_matrix(found: page.Overview, asked: Asked) -> dict[str, Any]:
    return {
        "columns": [labels.name(column) for column in found.matrix.columns],
        "rows": [
            (
                labels.name(row),
                [
                    (cell, _orders(asked, {"channel": cell.row, "warehouse": cell.column}))
                    if cell
                    else None
                    for cell in cells
                ],
            )
            for row, cells in found.matrix.rows
        ],
    }


urlpatterns = [
    path("numbers", overview, name="numbers"),
    path("numbers/<slug:code>", one, name="number"),
    path("numbers/<slug:code>/orders", orders, name="number-orders"),
]
