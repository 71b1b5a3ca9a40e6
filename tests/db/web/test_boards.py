"""The operations board: figures, tiles and kiosk mode."""

import re
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.http import QueryDict
from django.template.loader import render_to_string
from django.test import Client

from tests.builders.alerts import HOUR, alert, order, source_alert, statements
from tests.builders.cloudevents import cloudevent
from tests.builders.sources import cloudevent_message, create_source
from tests.builders.users import signed_in
from visibility.boards import load_board_and_tiles
from visibility.boards.board_scope import BoardScope
from visibility.boards.current_figures import ValueAtRisk
from visibility.boards.tile_registry import tile_registry
from visibility.boards.tiles import message_rate
from visibility.boards.tiles.key_figures import KeyFigure, KeyFigures
from visibility.boards.tiles.order_funnel import EXCEPTIONS, STAGES, FunnelStage, OrderFunnel
from visibility.db.database_time import database_now
from visibility.formatting import in_zone
from visibility.ingest.insert_messages import store_messages
from visibility.models import (
    Alert,
    AlertState,
    Board,
    Event,
    EventObjectLink,
    InboundMessage,
    Order,
    SlaClock,
    Source,
)
from visibility.pipeline import job_functions
from visibility.screens.alerts.inbox import (
    InboxQuery,
    InboxViewName,
    load_inbox_page_of_view,
)
from visibility.screens.lists.list_definition import Viewer
from visibility.screens.orders import order_list
from visibility.screens.orders.order_columns import ORDER_LIST
from visibility.screens.orders.order_scope import OrderScope
from visibility.timeline.model import CLOSED, Status
from visibility.web.permissions import Permission, UserRole

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"
BOARD = "/boards/operations"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    message_rate.message_counts_of_last_60_minutes.cache_clear()
    message_rate.mean_messages_per_minute_in_same_weekly_hour.cache_clear()


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS)


def text(client: Client, address: str = BOARD) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def figure(code: str) -> int | None:
    figures: list[KeyFigure] = KeyFigures().load_context(database_now())["figures"]
    return next(candidate.value for candidate in figures if candidate.code == code)


def message(of: Source, *, number: int, minutes_ago: int = 1, state: str = "applied") -> None:
    InboundMessage.objects.create(
        id=number,
        source=of,
        received_at=database_now() - timedelta(minutes=minutes_ago),
        dedupe_key=str(number),
        content_hash="0" * 64,
        state=state,
        reason="",
    )


def create_event(
    number: int, kind: str, *, of: Source, about: Any, ago: timedelta = timedelta(0), **data: Any
) -> None:
    now = database_now() - ago
    Event.objects.create(
        id=number,
        source=of,
        key=str(number),
        content_hash="0" * 64,
        type=kind,
        occurred_at=now,
        received_at=now,
        message_id=number,
        data=data,
    )
    EventObjectLink.objects.create(object=about, event_id=number, occurred_at=now, ref=0)


@pytest.mark.parametrize("role", list(UserRole))
def test_every_role_can_open_board(role: UserRole) -> None:
    assert signed_in(role).get(BOARD).status_code == 200


def test_anonymous_is_redirected_and_user_without_role_gets_403() -> None:
    assert Client().get(BOARD).status_code == 302
    client = Client()
    client.force_login(User.objects.create_user("new"))
    assert client.get(BOARD).status_code == 403


def test_unknown_board_is_404(ops: Client) -> None:
    assert ops.get("/boards/nowhere").status_code == 404


def test_empty_board_shows_empty_states(ops: Client) -> None:
    page = text(ops)
    for expected in (
        "No sources yet.",
        "No source yet. Connect the first one to see orders here.",
        "No open alerts: no source yet",
        "No messages in the last 60 full minutes.",
        "no orders",
    ):
        assert expected in page
    assert page.count('<span class="figure-value" data-mark="now-') == 5
    for code in ("open", "late", "risk", "unknown", "unowned"):
        assert f'data-mark="now-{code}">\N{EN DASH}<' in page


def test_every_open_status_belongs_to_one_stage() -> None:
    placed = {status for _, statuses in (*STAGES, *EXCEPTIONS) for status in statuses}
    assert placed == set(Status) - CLOSED


def test_funnel_counts_each_open_order_once_with_oldest_and_overdue() -> None:
    now = database_now()
    order("SO-1", status="received")
    order("SO-2", status="accepted", status_since=now - 30 * HOUR)
    order("SO-3", status="on_hold")
    order("SO-4", status="completed", is_open=False, status_since=now)
    late = order("SO-5", status="released")
    alert(of=late)
    alert(of=late, subject_key="again")
    data = OrderFunnel().load_context(now)
    stages = {stage.title: stage for stage, _ in (*data["stages"], *data["exceptions"])}
    assert {title: stage.order_count for title, stage in stages.items() if stage.order_count} == {
        "Received": 2,
        "Released": 1,
        "Other holds": 1,
    }
    assert stages["Received"].oldest_at == now - 30 * HOUR
    assert stages["Released"].bands_text == "1 over"
    assert data["done"] == 1


@pytest.mark.calendar
def test_key_figures_count_open_late_endangered_unknown_and_unassigned() -> None:
    now = database_now()
    order("SO-1", promised_at=now - HOUR)
    order("SO-2", promised_at=now - HOUR, delivered_at=now)
    order("SO-3", promised_at=now + HOUR)
    order("SO-4", promised_at=now - HOUR, is_open=False, status="completed")
    alert("SO-5")
    alert("SO-6", state=AlertState.SUPPRESSED)
    alert("SO-7", state=AlertState.RESOLVED, resolved_at=now)
    assert {code: figure(code) for code in ("open", "late", "risk", "unknown", "unowned")} == {
        "open": 6,
        "late": 1,
        "risk": 1,
        "unknown": 1,
        "unowned": 1,
    }


def tones_and_note() -> tuple[set[str], str]:
    """The tones of the figures that are 0, and the note on the sources."""
    figures: list[KeyFigure] = KeyFigures().load_context(database_now())["figures"]
    note = next(candidate.note for candidate in figures if candidate.code == "unknown")
    return {f.tone for f in figures if not f.value and f.code != "open"}, note


def test_zero_is_good_only_while_all_sources_report(ops: Client) -> None:
    assert tones_and_note() == ({"unknown"}, "No source yet")
    order("SO-1")
    message(create_source("erp"), number=1)
    assert tones_and_note() == ({"plain"}, "1 source reporting")
    message(create_source("north"), number=2, minutes_ago=90)
    assert tones_and_note() == ({"unknown"}, "1 of 2 sources reporting")
    page = text(ops)
    assert "no open alerts. 1 of 2 sources reporting." in page
    assert "Only 1 of 2 sources reporting: there may be unreported problems" in page
    create_source("paused", enabled=False)
    assert tones_and_note()[1] == "1 of 2 sources reporting"


def test_processing_lag_is_shown_where_figures_are_read_and_no_zero_is_good(ops: Client) -> None:
    order("SO-1")
    source = create_source("erp")
    message(source, number=1)
    pages = (BOARD, f"{BOARD}?kiosk=1", "/orders", "/numbers", "/numbers/on_time")
    for address in pages:
        assert "Processing has been behind" not in text(ops, address)
    message(source, number=2, minutes_ago=5, state="waiting")
    assert tones_and_note()[0] == {"unknown"}
    for address in pages:
        assert "Processing has been behind for 5 min" in text(ops, address)


def test_stage_is_on_target_only_with_evaluated_timers() -> None:
    now = database_now()

    def stage(title: str) -> FunnelStage:
        data = OrderFunnel().load_context(now)
        stages: list[FunnelStage] = [s for s, _ in (*data["stages"], *data["exceptions"])]
        return next(candidate for candidate in stages if candidate.title == title)

    order("SO-1", status="on_hold")
    order("SO-2", status="packed")
    assert (stage("Other holds").bands_text, stage("Other holds").note) == (
        "1 no target set",
        "no target set",
    )
    closed = alert("SO-3", broken=True, state=AlertState.RESOLVED, resolved_at=now)
    Order.objects.filter(number="SO-3").update(status="packed")
    SlaClock.objects.update(state="running", due_at=now + HOUR)
    assert stage("Packed").bands_text == "1 close to limit, 1 no target set"
    SlaClock.objects.update(due_at=now + 100 * HOUR)
    assert stage("Packed").bands_text == "1 on target, 1 no target set"
    SlaClock.objects.update(due_at=now - HOUR)
    assert stage("Packed").bands_text == "1 unknown, 1 no target set"
    Alert.objects.filter(pk=closed.pk).update(state=AlertState.OPEN)
    assert stage("Packed").bands_text == "1 over, 1 no target set"


@pytest.mark.calendar
def test_alert_figures_equal_linked_lists(ops: Client) -> None:
    for n in range(3):
        alert(f"SO-{n}")
    alert("SO-9", state=AlertState.SUPPRESSED)
    for shown in KeyFigures().load_context(database_now())["figures"]:
        if shown.href.startswith("/alerts"):
            view = shown.href.partition("view=")[2]
            assert f'data-mark="{view}">{shown.value}<' in text(ops, shown.href)


@pytest.mark.calendar
def test_order_figures_equal_linked_lists() -> None:
    now = database_now()
    for n, status in enumerate([*Status, *Status]):
        order(f"SO-{n}", status=status, is_open=status not in CLOSED, promised_at=now - HOUR)
    order("SO-X", promised_at=now - HOUR, delivered_at=now)
    Order.objects.filter(number="SO-2").update(states=["credit_review"])
    Order.objects.filter(number__in=("SO-4", "SO-5")).update(warehouse="Reno", channel="edi")
    on_hold = order("SO-HELD", status="on_hold", states=["credit_review"], warehouse="Reno")
    alert(of=on_hold, state=AlertState.SUPPRESSED)
    alert(of=order("SO-RISK", warehouse="Reno", promised_at=now + 9 * HOUR))
    today = in_zone(now, settings.TIME_ZONE).date()
    alert(of=order("SO-TODAY", promised_at=datetime.combine(today, time(), UTC)))
    order("SO-NORTH", last_source="north")
    message(create_source("north"), number=1, minutes_ago=90)
    for scope, risk_and_unknown in (
        (OrderScope(), [2, 2]),
        (OrderScope(warehouse="Reno"), [1, 1]),
        (OrderScope("Reno", "edi"), [0, 0]),
    ):
        board = BoardScope(scope)
        flow = OrderFunnel(board=board).load_context(now)
        links = [(href, s.order_count) for s, href in (*flow["stages"], *flow["exceptions"])]
        figures = KeyFigures(board=board).load_context(now)["figures"]
        links += [(f.href, f.value) for f in figures]
        assert [f.value for f in figures][2:4] == risk_and_unknown
        for href, many in links:
            asked = QueryDict(href.partition("?")[2])
            if href.startswith("/alerts"):
                query = InboxQuery(
                    0, InboxViewName("team"), scope=OrderScope.from_inbox_query(asked)
                )
                listed: Any = load_inbox_page_of_view(query, now=now).alerts
            else:
                listed, _ = order_list.list_orders(
                    ORDER_LIST.applied_filters(asked, Viewer(0, "", frozenset(Permission))),
                    now=now,
                )
            assert len(listed) == many, (href, scope)


def test_value_at_risk_counts_each_order_once_per_currency(ops: Client) -> None:
    placed = order("SO-1")
    alert(of=placed, money=100)
    alert(of=placed, money=100, subject_key="again")
    alert("SO-2", money=50, currency="EUR")
    assert KeyFigures().load_context(database_now())["money"] == [
        ValueAtRisk("USD", Decimal(100), 1),
        ValueAtRisk("EUR", Decimal(50), 1),
    ]
    assert "Value at risk" in text(ops)


def test_prices_are_hidden_without_permission_and_in_kiosk(ops: Client) -> None:
    source_alert(create_source(), money=77123, currency="USD")
    assert "77,123" in text(ops)
    assert "77,123" not in text(signed_in(UserRole.INTEGRATOR))
    assert "77,123" not in text(ops, f"{BOARD}?kiosk=1")


@pytest.mark.calendar
def test_message_rate_shows_last_hour_and_typical_rate() -> None:
    feed, now = create_source(), database_now()
    for n in range(5):
        message(feed, number=n + 1, minutes_ago=2)
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(weeks=1)
    for n in range(120):
        message(feed, number=100 + n)
    InboundMessage.objects.filter(id__gte=100).update(received_at=start + timedelta(minutes=5))
    data = message_rate.MessageRate().load_context(now)
    assert (data["hour"], data["usual"]) == (5, 2.0)
    assert sum(bar["many"] for bar in data["bars"]) == 5


def test_message_rate_is_cut_off_at_the_95th_percentile_and_says_so(ops: Client) -> None:
    feed, number = create_source(), 0
    for minutes_ago in range(2, 42):
        for _ in range(30 if minutes_ago == 20 else 1):
            message(feed, number=(number := number + 1), minutes_ago=minutes_ago)
    data = message_rate.MessageRate().load_context(database_now())
    assert (data["top"], data["highest"]) == (1, 30)
    assert "scale ends at 1; highest: 30 at" in text(ops)


@pytest.mark.parametrize(
    ("fields", "last", "expected"),
    [
        ({}, 1, "Live"),
        ({}, 90, "No data"),
        ({"expect_every": None}, 5000, "Live"),
        ({"enabled": False}, 1, "Paused"),
        ({"poll_error": "401"}, 1, "Failing"),
        ({}, None, "Waiting for first message"),
    ],
)
def test_each_source_shows_its_state(
    ops: Client, fields: dict[str, Any], last: int | None, expected: str
) -> None:
    feed = create_source(**fields)
    if last is not None:
        message(feed, number=1, minutes_ago=last)
    page = text(ops).partition('class="feeds"')[2]
    assert expected in page
    assert expected in text(ops).partition('class="feeds"')[2].partition("</ul>")[0]


def test_recent_events_lists_notable_events_only(ops: Client) -> None:
    feed, placed = create_source(), order("SO-77")
    create_event(1, "order.held", of=feed, about=placed.object, attributes={"reason": "credit"})
    create_event(2, "order.received", of=feed, about=placed.object)
    page = text(ops)
    assert "was put on hold (reason: credit)" in page
    assert page.count(">SO-77<") == 1


def test_recent_events_without_event_time_come_last(ops: Client) -> None:
    feed, old, back = create_source(), order("SO-OLD"), order("SO-BACK")
    create_event(1, "return.received", of=feed, about=back.object, flags=["time_received"])
    create_event(2, "order.held", of=feed, about=old.object, ago=HOUR, flags=["zone_assumed"])
    create_event(3, "order.held", of=feed, about=order("SO-WEEK").object, ago=30 * HOUR)
    page = text(ops).partition('tile-list"')[2].partition("</ol>")[0]
    assert page.index("SO-OLD") < page.index("SO-BACK")
    assert "time of the event unknown" in page.partition("SO-BACK")[2]
    assert "time of the event unknown" not in page.partition("SO-BACK")[0]
    assert "SO-WEEK" not in page


def test_failing_tile_does_not_affect_others(ops: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: OrderFunnel, now: object) -> None:
        raise DatabaseError("away")

    monkeypatch.setattr(OrderFunnel, "load_context", broken)
    page = text(ops)
    assert "This tile could not be loaded." in page
    assert "Open orders" in page


def test_stored_board_shows_its_tiles_and_reports_missing_ones(ops: Client) -> None:
    entries = [
        {"tile": "message_rate", "width": 9},
        {"tile": "removed"},
        {"tile": "notable_events", "width": "x"},
    ]
    Board.objects.create(slug="dock", title=HOSTILE, tiles=entries)
    page = text(ops, "/boards/dock")
    assert "tile-w4 tile-message_rate" in page
    assert "Invalid setting of this tile. width: 9 is more than 4." in page
    assert "This tile no longer exists." in page
    assert "tile-order_funnel" not in page
    assert "<script>alert" not in page


def test_kiosk_has_no_navigation_and_rotates_boards(ops: Client) -> None:
    Board.objects.create(slug="dock", title="Dock", tiles=[])
    page = text(ops, f"{BOARD}?kiosk=1&boards=operations,dock,nowhere&every=1")
    assert 'data-following="/boards/dock?kiosk=1&amp;boards=' in page
    assert 'data-every="10"' in page
    assert 'id="kiosk-clock"' in page
    assert "data-following" in text(ops, f"{BOARD}?kiosk=1&boards=//evil&every=x")
    assert 'data-exit="/boards/operations"' in page
    assert 'href="/orders' not in page


def test_counts_on_tiles_have_thousands_separators() -> None:
    figures = [KeyFigure("open", "Open orders", 18_509, "", "/orders", "plain")]
    page = render_to_string("tiles/key_figures.html", {"d": {"figures": figures}})
    assert ">18,509<" in page


def test_board_statement_count_does_not_grow(ops: Client) -> None:
    alert("SO-FIRST")
    create_source("feed")
    few = statements(ops, BOARD)
    for n in range(25):
        alert(f"SO-{n}")
        create_source(f"feed-{n}")
    # Page frame; change number, clock, board, titles, start board, lag; sources 3, which all tiles
    # share; key figures 3, worst warehouse and lag, funnel 3, alerts 2, events 1. The message rate
    # is cached for the minute.
    assert statements(ops, BOARD) <= few + 1 <= 32


def test_html_in_data_is_escaped(ops: Client) -> None:
    feed = create_source(title=HOSTILE)
    placed = order(HOSTILE, customer_name=HOSTILE)
    alert(of=placed, title=HOSTILE, currency="<b>x</b>")
    create_event(1, "order.held", of=feed, about=placed.object, attributes={"reason": HOSTILE})
    for address in (BOARD, f"{BOARD}?kiosk=1&boards={HOSTILE}&every={HOSTILE}"):
        page = text(ops, address)
        assert "<script>alert" not in page
        assert "<b>x</b>" not in page


def test_every_registered_tile_loads() -> None:
    now = database_now()
    for code, kind in tile_registry().items():
        tile = kind()
        assert tile.title
        assert set(tile.kinds) <= {"order", "alert", "source"}
        assert not load_board_and_tiles.load_tile(
            {"tile": code}, now=now, permissions=frozenset(Permission)
        ).failed


def test_sentence_starts_with_a_verdict_that_is_good_only_with_evidence(ops: Client) -> None:
    def sentence() -> str:
        page = ops.get(BOARD).content.decode()
        return page.split('id="board-answer"')[1].split(">")[1].split("<")[0]

    now = database_now()
    long_ago = {"promised_at": now - timedelta(days=3)}
    order("SO-1", warehouse="Dallas", **long_ago)
    assert sentence().startswith("Today is behind at Dallas: 1 of 1 open order is past its")
    order("SO-2", warehouse="Dallas", **long_ago)
    assert sentence().startswith("Today is behind at Dallas: 2 of 2 open orders are past")
    order("SO-3", warehouse="Reno", **long_ago)
    order("SO-4", warehouse="Joliet", **long_ago)
    assert sentence().startswith("Today is behind: 4 of 4 open orders are past")
    Order.objects.update(promised_at=now + timedelta(days=30))
    # No source reports: nothing is known to be good.
    assert sentence().startswith("None of 4 open orders is past its promise date")
    message(create_source(), number=1)
    assert sentence().startswith("Today is on track: none of 4 open orders is past")


def test_recent_events_are_limited_to_the_chosen_kind(ops: Client) -> None:
    source = create_source(config={"order_number": "sales_order@erp"})
    at = database_now() - HOUR
    data = {"order": {"number": "SO-1"}}
    for kind in ("order.held", "order.cancelled"):
        event = cloudevent(kind, data, event_id=kind, at=at)
        store_messages([cloudevent_message(source, event)])
    job_functions.process_messages_and_refold()

    def listed(address: str) -> str:
        tile = ops.get(address).content.decode().split('id="tile-notable_events-')[1]
        return tile.split("</section>")[0]

    everything = listed(BOARD)
    assert "was put on hold" in everything
    assert "was cancelled" in everything
    holds = listed(f"{BOARD}?events=holds")
    assert "was put on hold" in holds
    assert "was cancelled" not in holds
    assert re.search(r'\?events=holds#tile-notable_events-\d+" aria-current="true">Holds', holds)
    assert "No such events received" in listed(f"{BOARD}?events=returns")
    assert "was cancelled" in listed(f"{BOARD}?events=nothing")
