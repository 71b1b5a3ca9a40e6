"""The table: ratios of one run, medians with their spread, and the goals beside them."""

import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

# Every line a whole report has: code -> (what, unit, goal).
LINES: Mapping[str, tuple[str, str, str]] = {
    "intake": ("signed webhooks, one a request, 32 connections", "/s", "20x plain, 60 % of raw"),
    "intake_cpu": ("CPU of one such message", "ms", "0.2 ms"),
    "intake_p50": ("answer at half of its own full load, P50", "ms", ""),
    "intake_p99": ("answer at half of its own full load, P99", "ms", "20 ms"),
    "batches": ("events in batches", "/s", "25x plain, 50 % of raw"),
    "batches_cpu": ("CPU of one event of a batch", "ms", ""),
    "drain": ("backlog: messages to events, orders, clocks, numbers", "/s", "40x plain"),
    "drain_cpu": ("CPU of one event of the backlog", "ms", ""),
    "drain_two": ("the same on two workers", "/s", "1.7x one worker"),
    "visible_p50": ("webhook to open page at 50 a second, P50", "ms", ""),
    "visible_p95": ("webhook to open page at 50 a second, P95", "ms", "1000 ms"),
    "visible_loading": ("the same while a file of items is loaded, P95", "ms", "1.1x undisturbed"),
    "live_p50": ("a change to all sockets, 5 a second, P50", "ms", ""),
    "live_p99": ("a change to all sockets, 5 a second, P99", "ms", "100 ms"),
    "live_cpu": ("CPU of one delivery to a socket", "us", "40 us"),
    "memory": ("memory of all processes (PSS)", "MB", "350 MB"),
    "memory_peak": ("the most each had resident, added up", "MB", ""),
}
# The same for each size of the database.
GROWTH: Mapping[str, tuple[str, str, str]] = {
    "event_cpu": ("CPU of one event, new and old orders", "ms", "1.3x at 1 M"),
    "search_exact": ("search by an exact number, P95", "ms", "50 ms"),
    "search_partial": ("search by a part of a number, P95", "ms", "50 ms"),
    "search_mistyped": ("search by a mistyped number, P95", "ms", "50 ms"),
    "order_page": ("an order's page with its timeline, P95", "ms", "100 ms"),
    "tick": ("deadline tick with nothing due, P50", "ms", "flat, 1.5x"),
    "burst": ("one clock of many due at once", "ms", "1 ms"),
    "cells": ("90 days of all numbers from their cells, P95", "ms", "5 ms"),
    "numbers_page": ("the page of the numbers over 90 days, P95", "ms", "50 ms"),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """Several values of one thing."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> "Sample":
        """From any numbers; at least one."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """The one in the middle."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        if len(self.values) == 1:
            return figure(self.median)
        return f"{figure(self.median)} ({figure(min(self.values))} to {figure(max(self.values))})"


@dataclass(frozen=True, slots=True)
class Line:
    """One measure, ours beside the others."""

    code: str
    ours: Sample
    plain: Sample | None = None
    raw: Sample | None = None
    # What the CPU was spent by, or another remark.
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the plain way, whichever direction is better."""
        if self.plain is None:
            return None
        rising = LINES[self.code][1] == "/s"
        one, other = (self.ours, self.plain) if rising else (self.plain, self.ours)
        return one.median / other.median if other.median else None


@dataclass(frozen=True, slots=True)
class Grown:
    """One measure at one size of the database."""

    code: str
    orders: int
    value: float


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ranked = sorted(values)
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)]


def figure(value: float) -> str:
    """Three digits that count."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def markdown(
    lines: Sequence[Line], grown: Sequence[Grown], settings: Mapping[str, str], at: datetime
) -> str:
    """The whole report."""
    parts = [_head(settings, at)]
    if lines:
        parts.append(_lines(lines))
    if grown:
        parts.append(_growth(grown))
    return "\n".join(parts)


def _head(settings: Mapping[str, str], at: datetime) -> str:
    said = ", ".join(f"{name} {value}" for name, value in settings.items())
    return (
        "# Figures\n\n"
        f"Written by `make bench` on {at:%Y-%m-%d}: {os.cpu_count()} cores, "
        f"{platform.machine()}, Python {platform.python_version()}, {said}. Each value is the "
        "median of interleaved rounds, with the lowest and the highest. Machines differ and are "
        "noisy: what counts are the ratios of one run.\n\n"
        "The plain way (`tests/bench/plain/`) is a DRF view that checks the same signature, an ORM "
        "row per event and a Celery task per event that looks the order up and writes milestone "
        "and status; it folds no lines, sets no clocks and counts no numbers. The raw limit is "
        "PostgreSQL doing nothing but the insert. The load generator (raw sockets, requests made "
        "beforehand) is a process of its own, and its CPU is in no figure.\n"
    )


def _lines(lines: Sequence[Line]) -> str:
    rows = [
        "| what | ours | the plain way | ratio | raw limit | of raw | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        what, unit, goal = LINES[line.code]
        ratio = f"{figure(line.ratio)}x" if line.ratio else ""
        share = f"{100 * line.ours.median / line.raw.median:.0f} %" if line.raw else ""
        note = f"; {line.note}" if line.note else ""
        rows.append(
            f"| {what}{note} | {line.ours} {unit} | {_told(line.plain, unit)} | {ratio} "
            f"| {_told(line.raw, unit)} | {share} | {goal} |"
        )
    return "\n".join(rows) + "\n"


def _told(sample: Sample | None, unit: str) -> str:
    return f"{sample} {unit}" if sample else ""


def _growth(grown: Sequence[Grown]) -> str:
    sizes = sorted({g.orders for g in grown})
    values = {(g.code, g.orders): g.value for g in grown}
    titles = " | ".join(f"{figure(size)} orders" for size in sizes)
    rows = [
        "## As the number of orders grows\n",
        f"| what | {titles} | last : first | goal |",
        "|---" * (len(sizes) + 3) + "|",
    ]
    for code, (what, unit, goal) in GROWTH.items():
        found = [values[(code, size)] for size in sizes]
        cells = " | ".join(f"{figure(value)} {unit}" for value in found)
        ratio = f"{figure(found[-1] / found[0])}x" if found[0] else ""
        rows.append(f"| {what} | {cells} | {ratio} | {goal} |")
    return "\n".join(rows) + "\n"
