"""The operations board: its numbers, its tiles, its wall screen."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.http import QueryDict
from django.test import Client

from tests.web.alert_cast import HOUR, alert, order, signed_in, source, source_alert, statements
from visibility.boards import board
from visibility.boards.registry import shelf
from visibility.boards.tiles import message_rate
from visibility.boards.tiles.key_figures import Figure, NowStrip
from visibility.boards.tiles.order_funnel import POCKETS, STAGES, Flow
from visibility.db.clock import database_now
from visibility.models import AlertState, Board, Event, EventObject, InboundMessage, Source
from visibility.screens.orders import order_list
from visibility.timeline.model import CLOSED, Status
from visibility.web.permissions import Role

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"
BOARD = "/boards/operations"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    message_rate.past.cache_clear()
    message_rate.usual.cache_clear()


@pytest.fixture
def ops() -> Client:
    return signed_in(Role.OPERATIONS)


def text(client: Client, address: str = BOARD) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def figure(code: str) -> int:
    figures: list[Figure] = NowStrip().data(database_now())["figures"]
    return next(found.value for found in figures if found.code == code)


def message(of: Source, *, number: int, minutes_ago: int = 1, state: str = "applied") -> None:
    InboundMessage.objects.create(
        id=number,
        source=of,
        received_at=database_now() - timedelta(minutes=minutes_ago),
        dedupe_key=str(number),
        content_hash="0" * 64,
        body=b"",
        state=state,
        reason="",
    )


def heard(
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
    EventObject.objects.create(object=about, event_id=number, occurred_at=now, ref=0)


@pytest.mark.parametrize("role", list(Role))
def test_every_role_sees_the_board(role: Role) -> None:
    assert signed_in(role).get(BOARD).status_code == 200


def test_strangers_sign_in_and_people_without_a_role_are_refused() -> None:
    assert Client().get(BOARD).status_code == 302
    client = Client()
    client.force_login(User.objects.create_user("new"))
    assert client.get(BOARD).status_code == 403


def test_an_unknown_board_is_not_found(ops: Client) -> None:
    assert ops.get("/boards/nowhere").status_code == 404


def test_the_empty_board_says_what_is_missing(ops: Client) -> None:
    page = text(ops)
    for words in (
        "No source yet.",
        "No alert is open",
        "No message came in the last hour.",
        "nothing here",
    ):
        assert words in page


def test_every_open_status_has_a_place_in_the_flow() -> None:
    placed = [status for _, statuses in (*STAGES, *POCKETS) for status in statuses]
    assert sorted(placed) == sorted(set(Status) - CLOSED)


def test_the_flow_counts_each_open_order_once_with_the_oldest_and_those_over_target() -> None:
    now = database_now()
    order("SO-1", status="received")
    order("SO-2", status="accepted", status_since=now - 30 * HOUR)
    order("SO-3", status="held")
    order("SO-4", status="completed", is_open=False, status_since=now)
    late = order("SO-5", status="released")
    alert(of=late)
    alert(of=late, obligation="again")
    data = Flow().data(now)
    stages = {stage.title: stage for stage in (*data["stages"], *data["pockets"])}
    assert {title: stage.many for title, stage in stages.items() if stage.many} == {
        "Received": 2,
        "Released": 1,
        "On hold": 1,
    }
    assert stages["Received"].oldest_at == now - 30 * HOUR
    assert (stages["Released"].over, stages["Released"].share) == (1, 100)
    assert data["done"] == 1


def test_the_strip_counts_open_late_unknown_and_unowned() -> None:
    now = database_now()
    order("SO-1", promised_at=now - HOUR)
    order("SO-2", promised_at=now - HOUR, delivered_at=now)
    order("SO-3", promised_at=now + HOUR)
    order("SO-4", promised_at=now - HOUR, is_open=False, status="completed")
    alert("SO-5")
    alert("SO-6", state=AlertState.HELD)
    alert("SO-7", state=AlertState.RESOLVED, resolved_at=now)
    assert {code: figure(code) for code in ("open", "late", "unknown", "alerts", "unowned")} == {
        "open": 6,
        "late": 1,
        "unknown": 1,
        "alerts": 1,
        "unowned": 1,
    }


def test_the_numbers_of_alerts_equal_the_lists_they_link_to(ops: Client) -> None:
    for n in range(3):
        alert(f"SO-{n}")
    alert("SO-9", state=AlertState.HELD)
    for found in NowStrip().data(database_now())["figures"]:
        if found.href.startswith("/alerts"):
            view = found.href.partition("view=")[2]
            assert f'data-mark="{view}">{found.value}<' in text(ops, found.href)


def test_the_numbers_of_orders_equal_the_lists_they_link_to() -> None:
    now = database_now()
    for n, status in enumerate([*Status, *Status]):
        order(f"SO-{n}", status=status, is_open=status not in CLOSED, promised_at=now - HOUR)
    order("SO-X", promised_at=now - HOUR, delivered_at=now)
    flow = Flow().data(now)
    links = [(stage.href, stage.many) for stage in (*flow["stages"], *flow["pockets"])]
    links += [(f.href, f.value) for f in NowStrip().data(now)["figures"]]
    for href, many in links:
        if href.startswith("/orders"):
            asked = QueryDict(href.partition("?")[2])
            listed, _ = order_list.rows(
                order_list.Filters.of(asked.dict(), asked.getlist("status")), now=now
            )
            assert len(listed) == many, href


def test_money_at_risk_counts_an_order_once_and_never_mixes_currencies(ops: Client) -> None:
    one = order("SO-1")
    alert(of=one, money=100)
    alert(of=one, money=100, obligation="again")
    alert("SO-2", money=50, currency="EUR")
    assert NowStrip().data(database_now())["money"] == [("USD", 100), ("EUR", 50)]
    assert "Value at risk" in text(ops)


def test_who_may_not_see_prices_and_wall_screens_see_none(ops: Client) -> None:
    source_alert(source(), money=77123, currency="USD")
    assert "77,123" in text(ops)
    assert "77,123" not in text(signed_in(Role.INTEGRATOR))
    assert "77,123" not in text(ops, f"{BOARD}?kiosk=1")


def test_the_pulse_shows_the_hour_and_the_usual() -> None:
    feed, now = source(), database_now()
    for n in range(5):
        message(feed, number=n + 1, minutes_ago=2)
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(weeks=1)
    for n in range(120):
        message(feed, number=100 + n)
    InboundMessage.objects.filter(id__gte=100).update(received_at=start + timedelta(minutes=5))
    data = message_rate.Pulse().data(now)
    assert (data["hour"], data["usual"]) == (5, 2.0)
    assert sum(bar["many"] for bar in data["bars"]) == 5


@pytest.mark.parametrize(
    ("fields", "last", "word"),
    [
        ({}, 1, "Live"),
        ({}, 90, "Silent"),
        ({"expect_every": None}, 5000, "Live"),
        ({"enabled": False}, 1, "Paused"),
        ({"poll_error": "401"}, 1, "Failing"),
        ({}, None, "Waiting for first message"),
    ],
)
def test_each_feed_says_how_it_is(
    ops: Client, fields: dict[str, Any], last: int | None, word: str
) -> None:
    feed = source(**fields)
    if last is not None:
        message(feed, number=1, minutes_ago=last)
    page = text(ops).partition('class="feeds"')[2]
    assert word in page
    assert word in text(ops).partition('class="feeds"')[2].partition("</ul>")[0]


def test_the_stream_tells_what_is_notable_of_an_order_and_of_its_parcels(ops: Client) -> None:
    feed, one = source(), order("SO-77")
    heard(1, "order.held", of=feed, about=one.object, attributes={"reason": "credit"})
    heard(2, "order.received", of=feed, about=one.object)
    page = text(ops)
    assert "was put on hold: credit" in page
    assert page.count("SO-77") == 1


def test_the_stream_ranks_by_when_it_happened_and_says_when_nobody_told(ops: Client) -> None:
    feed, old, back = source(), order("SO-OLD"), order("SO-BACK")
    heard(1, "return.received", of=feed, about=back.object, flags=["time_received"])
    heard(2, "order.held", of=feed, about=old.object, ago=HOUR, flags=["zone_assumed"])
    heard(3, "order.held", of=feed, about=order("SO-WEEK").object, ago=30 * HOUR)
    page = text(ops).partition('class="stream"')[2].partition("</ol>")[0]
    assert page.index("SO-OLD") < page.index("SO-BACK")
    assert "no time was told" in page.partition("SO-BACK")[2]
    assert "no time was told" not in page.partition("SO-BACK")[0]
    assert "SO-WEEK" not in page


def test_a_tile_that_fails_says_so_and_the_others_stay(
    ops: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Flow, now: object) -> None:
        raise DatabaseError("away")

    monkeypatch.setattr(Flow, "data", broken)
    page = text(ops)
    assert "This could not be read just now" in page
    assert "Open orders" in page


def test_a_kept_board_shows_its_tiles_and_names_those_that_are_gone(ops: Client) -> None:
    entries = [
        {"tile": "message_rate", "width": 9},
        {"tile": "gone"},
        {"tile": "notable_events", "width": "x"},
    ]
    Board.objects.create(slug="dock", title=HOSTILE, tiles=entries)
    page = text(ops, "/boards/dock")
    assert "tile-message_rate tile-w4" in page
    assert "There is no tile of this name any more." in page
    assert "tile-order_funnel" not in page
    assert "<script>alert" not in page


def test_the_wall_screen_has_no_frame_and_turns_to_the_next_board(ops: Client) -> None:
    Board.objects.create(slug="dock", title="Dock", tiles=[])
    page = text(ops, f"{BOARD}?kiosk=1&boards=operations,dock,nowhere&every=1")
    assert 'data-following="/boards/dock?kiosk=1&amp;boards=' in page
    assert 'data-every="10"' in page
    assert 'id="kiosk-clock"' in page
    assert "data-following" in text(ops, f"{BOARD}?kiosk=1&boards=//evil&every=x")


def test_the_board_costs_the_same_for_one_order_and_for_many(ops: Client) -> None:
    alert("SO-FIRST")
    few = statements(ops, BOARD)
    for n in range(25):
        alert(f"SO-{n}")
        source(f"feed-{n}")
    # The frame's own; change number, clock, board, titles; strip 3, flow 2, alerts 1, stream 1,
    # sources 3; the pulse is remembered for the minute.
    assert statements(ops, BOARD) <= few <= 26


def test_hostile_text_is_shown_as_text(ops: Client) -> None:
    feed = source(title=HOSTILE)
    one = order(HOSTILE, customer_name=HOSTILE)
    alert(of=one, title=HOSTILE, currency="<b>x</b>")
    heard(1, "order.held", of=feed, about=one.object, attributes={"reason": HOSTILE})
    for address in (BOARD, f"{BOARD}?kiosk=1&boards={HOSTILE}&every={HOSTILE}"):
        page = text(ops, address)
        assert "<script>alert" not in page
        assert "<b>x</b>" not in page


def test_each_tile_of_the_shelf_is_complete() -> None:
    now = database_now()
    for code, kind in shelf().items():
        tile = kind()
        assert tile.title
        assert set(tile.kinds) <= {"order", "alert", "source"}
        assert not board.placed({"tile": code}, now=now).failed
