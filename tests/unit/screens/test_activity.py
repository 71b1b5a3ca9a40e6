"""The activity list: echoes are folded, updates are technical, actions stand between events."""

from collections.abc import Sequence
from typing import Any

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import EventType
from tests.builders.recorded_events import at, lines, ordered, reported
from tests.builders.timelines import folded
from visibility.screens.orders.activity import (
    ActivityContents,
    ActivityPage,
    ActivityRow,
    activity_page,
    fold_echoes,
)
from visibility.screens.orders.activity_filter import ActivityFilter
from visibility.screens.orders.carrier_tracking_pages import public_tracking_page
from visibility.screens.orders.expected_steps import ExpectedStep
from visibility.screens.orders.people_on_order import TeamEntry
from visibility.screens.orders.source_reports import SourceReport
from visibility.storage.order_notes_and_watches import mentioned_usernames
from visibility.timeline import RecordedEvent

INVOICED = (
    reported("erp", EventType.INVOICE_ISSUED, at(4, 12), invoice="INV-1"),
    reported("edi", EventType.INVOICE_ISSUED, at(4, 13), invoice="INV-1"),
    reported("finance", EventType.INVOICE_ISSUED, at(4, 14), invoice="INV-1"),
)
OWED = ExpectedStep("ship confirmation", at(3), "Mar 3, 12:00", ("wms",), SourceRole.WMS, True)
NOTE = TeamEntry(at(4, 12.5), "Note", "Customer called", "Ana", "waiting", "#note-1", is_note=True)


def page(
    *events: RecordedEvent,
    wanted: ActivityFilter = ActivityFilter(),  # noqa: B008  # frozen
    steps: Sequence[ExpectedStep] = (),
    team: Sequence[TeamEntry] = (),
) -> ActivityPage:
    reports = {"erp": SourceReport("ERP", SourceRole.ERP, at(1), silent_since=at(5))}
    timeline = folded(*events, as_of=at(6))
    contents = ActivityContents(timeline, reports, steps, team, "UTC", contacts=True)
    return activity_page(contents, wanted)


def rows(*events: RecordedEvent, **options: Any) -> list[ActivityRow]:
    return [row for day in page(*events, **options).days for row in day.rows]


def test_reports_of_the_same_invoice_are_one_row() -> None:
    row = next(r for r in rows(ordered({"A": 1}), *INVOICED) if r.item and r.echoes)
    assert row.systems == "ERP, edi, finance"
    assert "INV-1" in row.detail
    assert [echo.source for echo in row.echoes] == ["ERP", "edi", "finance"]


def test_other_numbers_another_time_and_the_same_system_are_no_echoes() -> None:
    first = reported("erp", EventType.INVOICE_ISSUED, at(4), invoice="INV-1")
    others = (
        reported("edi", EventType.INVOICE_ISSUED, at(4, 13), invoice="INV-2"),
        reported("edi", EventType.INVOICE_ISSUED, at(5, 13), invoice="INV-1"),
        reported("erp", EventType.INVOICE_ISSUED, at(4, 13), invoice="INV-1", key="again"),
    )
    for other in others:
        entries = [
            entry
            for entry in folded(ordered({"A": 1}), first, other, as_of=at(6)).entries
            if entry.recorded.event.type is EventType.INVOICE_ISSUED
        ]
        assert len(fold_echoes(entries)) == len(entries)


def test_silent_sources_and_notes_are_rows_in_order_of_time_beside_overdue_steps() -> None:
    events = (ordered({"A": 1}), *INVOICED[:2])
    listed = rows(*events, steps=[OWED], team=[NOTE])
    titles = ["ERP stopped reporting", "Note", "Invoice issued", "Order received"]
    assert [row.title for row in listed] == titles
    assert listed[1].person == "Ana"
    oldest_first = ActivityFilter(oldest_first=True)
    shown = page(*events, steps=[OWED], team=[NOTE], wanted=oldest_first)
    assert [row.title for day in shown.days for row in day.rows] == titles[::-1]
    assert [row.title for row in shown.overdue] == ["Not received: ship confirmation"]


def test_filter_by_line_has_replaced_reports_of_it_too() -> None:
    corrected = reported(
        "erp",
        EventType.ORDER_RELEASED,
        at(2, 13),
        lines("shipped", {"A": 1}),
        key="r",
        revision="1",
    )
    correction = reported(
        "erp",
        EventType.ORDER_RELEASED,
        at(2, 13),
        lines("shipped", {"A": 1}),
        key="r",
        revision="2",
    )
    packed = reported("wms", EventType.PACK_COMPLETED, at(3), lines("packed", {"B": 1}))
    events = (ordered({"A": 1, "B": 1}), corrected, correction, packed)
    by_line = [r.title for r in rows(*events, wanted=ActivityFilter(line="A"))]
    assert by_line == ["Released to the warehouse", "Order received"]
    assert len(rows(*events, wanted=ActivityFilter(line="A", replaced=True))) == 3
    assert [r.title for r in rows(*events, wanted=ActivityFilter(line="B"))] == [
        "Packed",
        "Order received",
    ]


def test_filters_show_one_system_exceptions_people_or_changes_of_status() -> None:
    on_hold = reported("erp", EventType.ORDER_HELD, at(3))
    transit = reported("carrier", EventType.IN_TRANSIT, at(3), tracking="1Z")
    events = (ordered({"A": 1}), on_hold, transit)

    def titles(**wanted: str) -> list[str]:
        listed = rows(*events, wanted=ActivityFilter(**wanted), team=[NOTE])  # type: ignore[arg-type]  # texts only
        return [row.title for row in listed]

    assert titles(source="carrier") == ["In transit"]
    assert titles(only="people") == ["Note"]
    assert "In transit" not in titles(only="status")
    assert titles(only="exceptions") == ["ERP stopped reporting", "Note", "Put on hold"]


def test_tracking_page_is_linked_only_for_known_carriers() -> None:
    assert public_tracking_page("UPS Ground", "1Z 999").endswith("tracknum=1Z999")
    assert public_tracking_page("FedEx", "a&b").endswith("trknbr=a%26b")
    assert public_tracking_page("Groups Inc", "1") == ""
    assert public_tracking_page("", "1") == ""


def test_mentions_are_names_after_an_at_sign_but_not_email_addresses() -> None:
    text = "@ana and (@ben.lee), not eva@example.com. Again @ana."
    assert mentioned_usernames(text) == ["ana", "ben.lee"]
