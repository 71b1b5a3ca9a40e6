"""Write the benchmark report: medians with their range, ratios and goals."""

import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

# The lines of a complete report: code -> (measure, unit, goal).
LINES: Mapping[str, tuple[str, str, str]] = {
    "intake": ("signed webhooks, one per request, 32 connections", "/s", "20x plain, 60% of limit"),
    "intake_cpu": ("CPU per webhook", "ms", "0.2 ms"),
    "intake_p50": ("response time at half of its own maximum rate, P50", "ms", ""),
    "intake_p99": ("response time at half of its own maximum rate, P99", "ms", "20 ms"),
    "batches": ("events in batches", "/s", "25x plain, 50% of limit"),
    "batches_cpu": ("CPU per event of a batch", "ms", ""),
    "drain": ("backlog: messages to events, orders, SLA clocks, KPIs", "/s", "40x plain"),
    "drain_cpu": ("CPU per event of the backlog", "ms", ""),
    "drain_two": ("backlog with two workers", "/s", "1.7x one worker"),
    "visible_p50": ("webhook to updated page at 50 per second, P50", "ms", ""),
    "visible_p95": ("webhook to updated page at 50 per second, P95", "ms", "1000 ms"),
    "visible_loading": (
        "webhook to updated page during an item import, P95",
        "ms",
        "1.1x without import",
    ),
    "live_p50": ("change to all sockets, 5 per second, P50", "ms", ""),
    "live_p99": ("change to all sockets, 5 per second, P99", "ms", "100 ms"),
    "live_cpu": ("CPU per delivery to a socket", "us", "40 us"),
    "packages": (
        "webhook to updated page beside an event of many packages, P95",
        "ms",
        "2x without it",
    ),
    "sign_ins": (
        "response time of webhooks beside parallel sign-ins, P99",
        "ms",
        "5x without them",
    ),
    "chart": ("CPU of a cached chart of 5 lines over 90 days", "ms", "20x built"),
    "chart_memory": ("memory of a web process for its first chart (PSS)", "MB", "40 MB"),
    "lone_cpu": ("CPU of a lone event, stored message to committed KPI cells", "ms", "5 ms"),
    "cells_few": ("KPI cells after one changed order on a day of few orders", "ms", ""),
    "cells_many": (
        "KPI cells after one changed order on a day of many orders",
        "ms",
        "1.2x a day of few",
    ),
    "paint_orders": ("first paint of the order list without a cache", "ms", ""),
    "paint_alerts": ("first paint of the alert list without a cache", "ms", ""),
    "paint_messages": ("first paint of the message list without a cache", "ms", ""),
    "memory": ("memory of all processes (PSS)", "MB", "350 MB"),
    "memory_peak": ("sum of the peak resident memory of all processes", "MB", ""),
}
# The lines that are measured at each database size.
GROWTH: Mapping[str, tuple[str, str, str]] = {
    "event_cpu": ("CPU per event, new and old orders", "ms", "1.3x at 1 M"),
    "search_exact": ("search by exact number, P95", "ms", "50 ms"),
    "search_partial": ("search by partial number, P95", "ms", "50 ms"),
    "search_mistyped": ("search by mistyped number, P95", "ms", "50 ms"),
    "order_page": ("order page with timeline, P95", "ms", "100 ms"),
    "tick": ("deadline sweep with nothing due, P50", "ms", "flat, 1.5x"),
    "burst": ("each of many SLA clocks due at once", "ms", "1 ms"),
    "cells": ("90 days of all KPIs from their cells, P95", "ms", "5 ms"),
    "numbers_page": ("KPI page over 90 days, P95", "ms", "50 ms"),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """Several values of one measure."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> "Sample":
        """A sample of at least one value."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """The median value."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        if len(self.values) == 1:
            return format_value(self.median)
        low, high = format_value(min(self.values)), format_value(max(self.values))
        return f"{format_value(self.median)} ({low} to {high})"


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One measure of the product, the plain implementation and the insert limit."""

    code: str
    product: Sample
    plain: Sample | None = None
    raw: Sample | None = None
    # A remark, such as the CPU by process.
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the plain implementation (higher rates, lower times)."""
        if self.plain is None:
            return None
        higher_is_better = LINES[self.code][1] == "/s"
        pair = (self.product, self.plain) if higher_is_better else (self.plain, self.product)
        numerator, denominator = (sample.median for sample in pair)
        return numerator / denominator if denominator else None


@dataclass(frozen=True, slots=True)
class GrowthValue:
    """One measure at one database size."""

    code: str
    orders: int
    value: float


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ranked = sorted(values)
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)]


def format_value(value: float) -> str:
    """Format a value with three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def markdown(
    lines: Sequence[ReportLine],
    grown: Sequence[GrowthValue],
    settings: Mapping[str, str],
    at: datetime,
) -> str:
    """The complete report."""
    sections = [_introduction(settings, at)]
    if lines:
        sections.append(_lines(lines))
    if grown:
        sections.append(_growth(grown))
    return "\n".join(sections)


def _introduction(settings: Mapping[str, str], at: datetime) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in settings.items())
    return (
        "# Benchmarks\n\n"
        f"Written by `make bench` on {at:%Y-%m-%d}: {os.cpu_count()} cores, "
        f"{platform.machine()}, Python {platform.python_version()}, {versions}. Each value is the "
        "median of interleaved rounds, with the range. Machines differ and are noisy: compare only "
        "the ratios of one run.\n\n"
        "The plain implementation (`tests/bench/plain/`) is a DRF view that checks the same "
        "signature, an ORM row per event and a Celery task per event that looks up the order and "
        "writes milestone and status. It has no order lines, SLA clocks or KPIs. The insert limit "
        "is PostgreSQL doing nothing but the inserts. The load generator is a separate process; "
        "its CPU is not included.\n"
    )


def _lines(lines: Sequence[ReportLine]) -> str:
    rows = [
        "| measure | Throughline | plain implementation | ratio | insert limit | of limit | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        title, unit, goal = LINES[line.code]
        ratio = f"{format_value(line.ratio)}x" if line.ratio else ""
        share = f"{100 * line.product.median / line.raw.median:.0f}%" if line.raw else ""
        note = f"; {line.note}" if line.note else ""
        rows.append(
            f"| {title}{note} | {line.product} {unit} | {_with_unit(line.plain, unit)} | {ratio} "
            f"| {_with_unit(line.raw, unit)} | {share} | {goal} |"
        )
    return "\n".join(rows) + "\n"


def _with_unit(sample: Sample | None, unit: str) -> str:
    return f"{sample} {unit}" if sample else ""


def _growth(grown: Sequence[GrowthValue]) -> str:
    sizes = sorted({g.orders for g in grown})
    values = {(g.code, g.orders): g.value for g in grown}
    titles = " | ".join(f"{format_value(size)} orders" for size in sizes)
    rows = [
        "## Growth of the database\n",
        f"| measure | {titles} | last / first | goal |",
        "|---" * (len(sizes) + 3) + "|",
    ]
    for code, (title, unit, goal) in GROWTH.items():
        row = [values[(code, size)] for size in sizes]
        cells = " | ".join(f"{format_value(value)} {unit}" for value in row)
        ratio = f"{format_value(row[-1] / row[0])}x" if row[0] else ""
        rows.append(f"| {title} | {cells} | {ratio} | {goal} |")
    return "\n".join(rows) + "\n"
