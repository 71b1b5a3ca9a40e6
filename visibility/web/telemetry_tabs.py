"""What the tab of calls and runs shows: of an order, and of a source."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.http import Http404, HttpRequest

from connectors.sdk.telemetry import TelemetryKind, TelemetryResult
from visibility.db.keyset import condition_for_rows_after_sort_key
from visibility.db.parse_id_and_time import parse_row_id
from visibility.formatting import format_duration, format_number, format_percent
from visibility.models import Source, TelemetrySample, TelemetrySeries
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.telemetry import source_figures
from visibility.screens.telemetry.order_calls import (
    OrderCall,
    format_milliseconds,
    load_order_calls,
    summarize_order_calls,
    trace_url,
)

SHOWN = 50
RESULT_LABELS = {
    TelemetryResult.OK.value: ("OK", "ok"),
    TelemetryResult.ERROR.value: ("Error", "late"),
    TelemetryResult.TIMEOUT.value: ("Timed out", "late"),
    TelemetryResult.RUNNING.value: ("Running", "waiting"),
}


def order_calls_context(
    request: HttpRequest, order_id: int, *, now: datetime, known_at: datetime | None
) -> dict[str, Any]:
    """The calls and runs of an order. At most three statements."""
    before = parse_row_id(request.GET.get("before", "")) or None
    last = TelemetrySample.objects.filter(pk=before).first() if before else None
    calls = load_order_calls(
        order_id,
        until=known_at,
        after=(last.at, last.pk) if last else None,
        limit=SHOWN + 1,
    )
    return {
        "call_summaries": summarize_order_calls(order_id, until=known_at),
        "call_rows": [_row(call, now) for call in calls[:SHOWN]],
        "older_calls": calls[SHOWN - 1].id if len(calls) > SHOWN else None,
        "is_first_page": last is None,
    }


def tabs_of_source(source: Source) -> tuple[tuple[str, str], ...]:
    """The tab (code, title) that only sources have which send telemetry. One statement."""
    return (("calls", "Calls and queues"),) if source_figures.has_telemetry(source) else ()


def source_calls_context(request: HttpRequest, source: Source, now: datetime) -> dict[str, Any]:
    """The services, flows and queues of a source, or the rows of one of them."""
    text, named = request.GET.get("series", ""), request.GET.get("named", "")
    series = source_figures.find_series_by_label(source, named) if named else None
    if not text and series is None:
        return {
            "call_figures": [
                _figures(figures) for figures in source_figures.load_call_figures(source, now)
            ],
            "queue_figures": [
                _queue(queue, now) for queue in source_figures.load_queue_figures(source, now)
            ],
        }
    if series is None:
        series = source_figures.find_series(source, parse_row_id(text) or 0)
    if series is None:
        raise Http404(text)
    only_failed = request.GET.get("failed") == "1"
    before = parse_row_id(request.GET.get("before", "")) or None
    is_queue = source_figures.is_queue(series)
    rows: Any = (
        source_figures.hours_of_queue(series)
        if is_queue
        else source_figures.samples_of_series(series, only_failed=only_failed)
    )
    keys = ["-hour"] if is_queue else ["-at", "-id"]
    last = rows.filter(pk=before).first() if before else None
    if last is not None:
        after = [getattr(last, key.removeprefix("-")) for key in keys]
        rows = rows.filter(condition_for_rows_after_sort_key(keys, after))
    page = list(rows[: SHOWN + 1])
    return {
        "series": series,
        "is_queue": is_queue,
        "only_failed": only_failed,
        "series_rows": [
            _queue_hour(each, now) if is_queue else _sample_row(series, each, now)
            for each in page[:SHOWN]
        ],
        "older_rows": page[SHOWN - 1].pk if len(page) > SHOWN else None,
        "is_first_page": last is None,
    }


def _figures(figures: source_figures.CallFigures) -> dict[str, Any]:
    share = figures.error_share
    return {
        "figures": figures,
        "is_run": figures.kind == TelemetryKind.RUN,
        "rate": _rate(figures.per_minute) if figures.calls else "",
        "share": "" if share is None else format_percent(share),
        "p50": _duration(figures.p50_ms),
        "p95": _duration(figures.p95_ms),
        "slowest": _duration(figures.slowest_ms),
    }


def _queue(queue: source_figures.QueueFigures, now: datetime) -> dict[str, Any]:
    return {
        "queue": queue,
        "at": displayed_time(queue.last_at, now),
        "age": _age(queue.oldest_seconds),
        "greatest_age": _age(queue.greatest_oldest_seconds),
    }


def _queue_hour(hour: Any, now: datetime) -> dict[str, Any]:
    return {
        "hour": hour,
        "at": displayed_time(hour.last_at, now),
        "age": _age(hour.last_oldest_seconds),
        "greatest_age": _age(hour.greatest_oldest_seconds),
    }


def _sample_row(series: TelemetrySeries, sample: TelemetrySample, now: datetime) -> dict[str, Any]:
    label, tone = RESULT_LABELS.get(sample.result, (sample.result, "unknown"))
    return {
        "call": sample,
        "is_run": series.kind == TelemetryKind.RUN,
        "at": displayed_time(sample.at, now),
        "label": label,
        "tone": "risk" if sample.is_failed and tone == "ok" else tone,
        "took": _duration(sample.milliseconds),
        "trace_url": trace_url(sample.trace_id),
        "numbers": [number.value for number in sample.telemetrynumber_set.all()],
    }


def _row(call: OrderCall, now: datetime) -> dict[str, Any]:
    label, tone = RESULT_LABELS.get(call.result, (call.result, "unknown"))
    return {
        "call": call,
        "is_run": call.kind == TelemetryKind.RUN,
        "at": displayed_time(call.at, now),
        "label": label,
        "tone": "risk" if call.is_failed and tone == "ok" else tone,
        "took": _duration(call.milliseconds),
        "trace_url": call.trace_url,
    }


def _rate(per_minute: float) -> str:
    if per_minute < 0.1:
        return "less than 0.1"
    return format_number(round(Decimal(per_minute), 1 if per_minute < 10 else 0))


def _duration(milliseconds: int | None) -> str:
    return "" if milliseconds is None else format_milliseconds(milliseconds)


def _age(seconds: int | None) -> str:
    return "" if seconds is None else format_duration(timedelta(seconds=seconds))
