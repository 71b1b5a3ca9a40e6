"""Promise date history, corrections, late events, and timelines of past moments."""

from dataclasses import replace

import pytest

from tests.builders.recorded_events import at, delivered, line, ordered, reported, shipped
from tests.builders.timelines import folded, line_of
from visibility.timeline import MilestoneCode, Status

pytestmark = pytest.mark.calendar

REQUESTED = ordered({"A": 5}, at(2), source="edi", requested_at="2026-03-04")
FIRST = reported("erp", "order.accepted", at(2, 13), promised_at="2026-03-05")


def promise_history(*events: object) -> list[tuple[str, str, str, str | None]]:
    """(kind, source, date, old) of each entry of the promise date history."""
    timeline = folded(*events)  # type: ignore[arg-type]  # events
    return [
        (p.kind, p.source, f"{p.date:%d}", f"{p.old:%d}" if p.old else None)
        for p in timeline.promises
    ]


def test_history_shows_who_requested_promised_and_changed_the_date() -> None:
    moved = reported("erp", "order.changed", at(3), promised_at="2026-03-09", reason="stock")
    assert promise_history(REQUESTED, FIRST, moved) == [
        ("requested", "edi", "04", None),
        ("first", "erp", "05", None),
        ("moved", "erp", "09", "05"),
    ]
    timeline = folded(REQUESTED, FIRST, moved)
    assert timeline.promises[2].reported_at == at(3)
    assert timeline.promises[2].reason == "stock"
    first = timeline.first_promise_of_kind("first")
    assert first
    assert first.date == at(5, 0)


def test_repeated_date_changes_nothing() -> None:
    echo = reported("shop", "order.changed", at(2, 14), promised_at="2026-03-05T17:00:00Z")
    moved = reported("erp", "order.changed", at(3), promised_at="2026-03-09")
    stale = reported("shop", "order.changed", at(3, 14), promised_at="2026-03-05T17:00:00Z")
    assert [kind for kind, *_ in promise_history(FIRST, echo, moved, stale)] == ["first", "moved"]


def test_changed_request_has_the_previous_date() -> None:
    later = reported("edi", "order.changed", at(3), requested_at="2026-03-12")
    assert promise_history(REQUESTED, later)[-1] == ("requested", "edi", "12", "04")


def test_correction_supersedes_an_event_without_deleting_it() -> None:
    wrong = shipped({"A": 5}, at(3), key="wrong event")
    right = shipped({"A": 3}, at(3, 14), corrects=["wrong event"])
    timeline = folded(ordered({"A": 5}), wrong, right)
    assert timeline.status is Status.PARTIALLY_SHIPPED
    assert [e.superseded for e in timeline.entries] == [False, True, False]
    dropped = reported("wms", "order.changed", at(4), corrects=["wrong event"])
    timeline = folded(ordered({"A": 5}), wrong, dropped)
    assert timeline.milestone_reached_at(MilestoneCode.SHIPPED) is None


def test_late_event_reopens_a_closed_order() -> None:
    events = [ordered({"A": 5}), shipped({"A": 5}, at(3)), delivered(at(4))]
    invoice = reported("finance", "invoice.issued", at(5), invoice="I1")
    assert not folded(*events, invoice).is_open
    more = ordered({"A": 5, "B": 1}, at(2, 10), source="old_erp", received=at(20))
    added = reported("erp", "order.changed", at(2, 11), [*more.event.lines], received=at(20))
    timeline = folded(*events, invoice, added)
    assert timeline.is_open
    assert timeline.status is Status.PARTIALLY_DELIVERED
    assert folded(*events, invoice, added, known_at=at(19)).status is Status.COMPLETED


def test_known_at_counts_only_events_received_by_then() -> None:
    late = shipped({"A": 5}, at(3), received=at(8))
    events = [ordered({"A": 5}), late]
    assert folded(*events, as_of=at(7), known_at=at(7)).status is Status.RECEIVED
    assert folded(*events, as_of=at(7)).status is Status.SHIPPED
    assert line_of(folded(*events, as_of=at(9), known_at=at(9)), "A").state.value == "shipped"


def test_dates_of_lines_that_differ_from_the_order_are_in_the_history() -> None:
    lines = [
        replace(line("A", ordered=5), requested_at="2026-03-03", promised_at="2026-03-05"),
        replace(line("B", ordered=5), requested_at="2026-03-04"),
    ]
    request = reported("edi", "order.received", at(2), lines, requested_at="2026-03-04")
    later = [replace(line("A", ordered=5), promised_at="2026-03-08")]
    moved = reported("edi", "order.changed", at(3), later)
    timeline = folded(request, FIRST, moved)
    a, b = line_of(timeline, "A"), line_of(timeline, "B")
    assert (a.requested_at, a.promised_at, b.promised_at) == (at(3, 0), at(8, 0), None)
    assert [(p.kind, p.line_key, p.date) for p in timeline.promises] == [
        ("requested", "", at(4, 0)),
        ("requested", "A", at(3, 0)),
        ("first", "A", at(5, 0)),
        ("first", "", at(5, 0)),
        ("moved", "A", at(8, 0)),
    ]
    first = timeline.first_promise_of_kind("first")
    assert first
    assert (first.line_key, first.source) == ("", "erp")
