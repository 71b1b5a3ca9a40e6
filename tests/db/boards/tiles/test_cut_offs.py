"""The tile of cut-offs: which orders must leave, how far they are, and the lists of its numbers."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from tests.builders.alerts import alert, order, statements
from tests.builders.listed_orders import walk_pages
from tests.builders.noon_zone import zone_where_it_is_noon
from tests.builders.users import signed_in
from visibility.boards.board_scope import BoardScope
from visibility.boards.tiles.cut_offs import CutOffs
from visibility.db.database_time import database_now
from visibility.models import Board, Milestone, Order, WorkCalendar
from visibility.screens.orders.order_scope import OrderScope
from visibility.sla.calendar import DAYS
from visibility.sla.cutoff_times import load_current_cutoffs, next_cutoff
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
BOARD = "/boards/operations"
# A Wednesday; in Chicago it is 10:00.
NOW = datetime(2026, 3, 4, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS)


def name_cutoffs(*entries: tuple[str, str, str], days: Any = DAYS, **fields: Any) -> WorkCalendar:
    cutoffs = [
        {"warehouse": warehouse, "carrier": carrier, "times": dict.fromkeys(days, at)}
        for warehouse, carrier, at in entries
    ]
    wanted = {"code": "dallas", "title": "Dallas", "zone": "America/Chicago", "cutoffs": cutoffs}
    return WorkCalendar.objects.create(**{**wanted, **fields})


def due_order(number: str, *, at: datetime = NOW, **fields: Any) -> Order:
    wanted = {"warehouse": "Dallas", "carrier": "UPS", "promised_at": at, "last_event_at": at}
    return order(number, **{**wanted, **fields})


def reached(of: Order, code: str, at: datetime | None, **fields: Any) -> None:
    Milestone.objects.create(order=of, code=code, reached_at=at, completed_at=at, **fields)


def counts(now: datetime = NOW, scope: OrderScope | None = None) -> dict[str, dict[str, int]]:
    """The numbers of the tile that are not 0, by the title of the cut-off."""
    tile = CutOffs(board=BoardScope(scope or OrderScope()))
    rows = tile.load_context(now)["rows"]
    return {r.cut.title: {p.label: p.count for p in r.stages if p.count} for r in rows}


def test_orders_are_gone_ready_not_picked_or_at_risk() -> None:
    name_cutoffs(("Dallas", "UPS", "17:00"))
    reached(due_order("gone"), "shipped", NOW - HOUR)
    reached(due_order("ready"), "picked", NOW - HOUR)
    due_order("new")
    due_order("held", status="on_hold")
    alert(of=due_order("alerted"))
    partly = due_order("partly shipped")
    Milestone.objects.create(order=partly, code="shipped", reached_at=NOW - HOUR)
    expected = {"Gone": 1, "Ready": 1, "Not picked": 2, "At risk": 2}
    assert counts() == {"Dallas, UPS": expected}


def test_order_that_is_not_due_or_not_open_is_not_counted() -> None:
    name_cutoffs(("Dallas", "UPS", "17:00"))
    due_order("tomorrow", promised_at=NOW + timedelta(days=1))
    due_order("no date", promised_at=None)
    due_order("cancelled", is_open=False, status="cancelled")
    due_order("delivered", delivered_at=NOW - HOUR)
    reached(due_order("left yesterday"), "shipped", NOW - timedelta(days=1))
    due_order("elsewhere", warehouse="Reno")
    due_order("other carrier", carrier="DHL")
    due_order("no carrier", carrier="")
    assert counts() == {"Dallas, UPS": {}}
    due_order("overdue", promised_at=NOW - timedelta(days=3))
    assert counts() == {"Dallas, UPS": {"Not picked": 1}}


def test_date_is_that_of_the_zone_and_a_bare_date_is_itself() -> None:
    name_cutoffs(("Dallas", "UPS", "17:00"))
    # 04:00 UTC on Thursday is still Wednesday in Chicago; midnight UTC is the bare date.
    due_order("late evening", promised_at=datetime(2026, 3, 5, 4, tzinfo=UTC))
    due_order("bare date", promised_at=datetime(2026, 3, 4, tzinfo=UTC))
    due_order("bare date of tomorrow", promised_at=datetime(2026, 3, 5, tzinfo=UTC))
    assert counts() == {"Dallas, UPS": {"Not picked": 2}}


def test_ship_by_date_comes_before_the_promise() -> None:
    name_cutoffs(("Dallas", "UPS", "17:00"))
    later = due_order("ships earlier", promised_at=NOW + timedelta(days=5))
    reached(later, "shipped", None, planned_at=NOW)
    assert counts() == {"Dallas, UPS": {"Not picked": 1}}
    early = due_order("ships later")
    reached(early, "shipped", None, planned_at=NOW + timedelta(days=1))
    assert counts() == {"Dallas, UPS": {"Not picked": 1}}


def test_most_specific_cutoff_applies_whatever_the_case_of_the_names() -> None:
    name_cutoffs(
        ("Dallas", "UPS", "17:00"), ("Dallas", "", "16:00"), ("", "DHL", "15:00"), ("", "", "14:00")
    )
    due_order("1", warehouse="DALLAS", carrier="ups")
    due_order("2", carrier="FedEx")
    due_order("3", carrier="DHL")
    due_order("4", warehouse="Reno", carrier="DHL")
    due_order("5", warehouse="", carrier="")
    assert counts() == {
        "Any warehouse, any carrier": {"Not picked": 1},
        "Any warehouse, DHL": {"Not picked": 1},
        "Dallas, any carrier": {"Not picked": 2},
        "Dallas, UPS": {"Not picked": 1},
    }


def test_not_ready_in_the_last_hour_and_everything_after_it_is_at_risk() -> None:
    name_cutoffs(("Dallas", "UPS", "17:00"))
    due_order("new")
    reached(due_order("ready"), "packed", NOW)
    assert counts(NOW + 5 * HOUR) == {"Dallas, UPS": {"Not picked": 1, "Ready": 1}}
    assert counts(NOW + 6.5 * HOUR) == {"Dallas, UPS": {"At risk": 1, "Ready": 1}}
    assert counts(NOW + 8 * HOUR) == {"Dallas, UPS": {"At risk": 2}}


def test_closed_days_have_no_cutoff_and_the_next_one_counts_since_the_last() -> None:
    name_cutoffs(
        ("Dallas", "UPS", "17:00"),
        days=DAYS[:5],
        closed_days=[{"day": "2026-03-09", "title": ""}],
        exceptions=[{"date": "2026-03-10", "hours": [], "title": ""}],
    )
    saturday = NOW + timedelta(days=3)
    (cut,) = load_current_cutoffs(saturday)
    # On Sunday the clocks change; Monday and Tuesday are closed.
    assert cut.at == datetime(2026, 3, 11, 22, tzinfo=UTC)
    assert cut.counts_since == datetime(2026, 3, 7, 6, tzinfo=UTC)
    reached(due_order("left on Saturday", at=saturday), "shipped", saturday)
    due_order("due Wednesday", promised_at=NOW + timedelta(days=7))
    assert counts(saturday) == {"Dallas, UPS": {"Gone": 1, "Not picked": 1}}


def test_change_of_cutoffs_applies_from_its_date() -> None:
    row = name_cutoffs(("Dallas", "UPS", "17:00"))
    later = {"zone": row.zone, "cutoffs": [{**row.cutoffs[0], "times": {"thu": "12:00"}}]}
    row.later_versions = [{"from": "2026-03-05", **later}]
    row.save()
    (today,) = load_current_cutoffs(NOW)
    (tomorrow,) = load_current_cutoffs(NOW + timedelta(days=1))
    assert today.at == datetime(2026, 3, 4, 23, tzinfo=UTC)
    assert tomorrow.at == datetime(2026, 3, 5, 18, tzinfo=UTC)
    after = NOW + 8 * HOUR
    result = next_cutoff([row], warehouse="dallas", carrier="UPS", after=after)
    assert result is not None
    assert result[1] == datetime(2026, 3, 5, 18, tzinfo=UTC)
    assert next_cutoff([row], warehouse="Reno", carrier="UPS", after=after) is None


def test_rows_have_least_time_left_first_and_those_without_orders_last() -> None:
    name_cutoffs(("Dallas", "UPS", "17:00"), ("Dallas", "FedEx", "12:00"), ("Reno", "", "11:00"))
    due_order("1")
    due_order("2", carrier="FedEx")
    titles = list(counts())
    assert titles == ["Dallas, FedEx", "Dallas, UPS", "Reno, any carrier"]


def now_orders() -> list[Order]:
    """Orders for a cut-off at the end of today, of each part."""
    now = database_now()
    orders = [due_order(f"O-{n}", at=now, ordered_at=now) for n in range(7)]
    reached(orders[0], "shipped", now)
    for each in orders[1:3]:
        reached(each, "picked", now)
    alert(of=orders[3])
    return orders


def test_each_number_links_to_exactly_its_orders(ops: Client) -> None:
    name_cutoffs(
        ("Dallas", "UPS", "23:59"),
        ("Dallas", "", "23:59"),
        zone=zone_where_it_is_noon(database_now()),
    )
    now_orders()
    due_order("any carrier", at=database_now(), carrier="A:B & C*")
    page = ops.get(BOARD).content.decode()
    links = re.findall(r'<a class="cutoff-count[^"]*" href="([^"]+)">([^<]+)<', page)
    assert len(links) == 8
    numbers = [int(text) for _, text in links]
    assert sum(numbers) == 8
    for address, text in links:
        result = walk_pages(ops, address.replace("&amp;", "&"))
        assert len(result) == int(text), address
    row = next(a for a, text in links if "ready" in a and text == "2")
    listed = ops.get(row).content.decode()
    assert "Cut-off" in listed
    assert "Dallas, UPS, ready" in listed


def test_numbers_of_a_limited_board_equal_their_lists(ops: Client) -> None:
    name_cutoffs(
        ("Dallas", "UPS", "23:59"),
        ("Reno", "", "23:59"),
        zone=zone_where_it_is_noon(database_now()),
    )
    orders = now_orders()
    Order.objects.filter(pk=orders[5].pk).update(channel="EDI")
    tiles = [{"tile": "cut_offs"}]
    Board.objects.create(slug="edi", title="EDI", tiles=tiles, filters={"channel": "EDI"})
    page = ops.get("/boards/edi").content.decode()
    links = re.findall(r'<a class="cutoff-count[^"]*" href="([^"]+)">([^<]+)<', page)
    assert sum(int(text) for _, text in links) == 1
    for address, text in links:
        assert len(walk_pages(ops, address.replace("&amp;", "&"))) == int(text)
    assert list(counts(scope=OrderScope(warehouse="Dallas"))) == ["Dallas, UPS"]


def test_list_of_a_cutoff_that_no_calendar_names_is_empty(ops: Client) -> None:
    now_orders()
    assert walk_pages(ops, "/orders?cutoff=ready:Dallas:UPS") == []


def test_without_cutoffs_it_says_so_and_links_for_those_who_may_enter_them(ops: Client) -> None:
    sentence = "No calendar names cut-offs, so it is not known by when orders must leave."
    page = ops.get(BOARD).content.decode()
    assert sentence in page
    assert '<a href="/calendars">Enter cut-offs in a calendar</a>' in page
    clerk = signed_in(UserRole.CUSTOMER_SERVICE).get(BOARD).content.decode()
    assert sentence in clerk
    assert "/calendars" not in clerk


def test_kiosk_shows_the_numbers_without_links(ops: Client) -> None:
    name_cutoffs(("Dallas", "UPS", "23:59"), zone=zone_where_it_is_noon(database_now()))
    now_orders()
    page = ops.get(f"{BOARD}?kiosk=1").content.decode()
    assert re.findall(r'<b class="cutoff-count[^"]*">([^<]+)<', page) == ["1", "2", "3", "1"]
    assert 'data-tick="countdown"' in page
    assert "cutoff=" not in page


def test_missing_reports_of_sources_are_shown(ops: Client) -> None:
    name_cutoffs(("Dallas", "UPS", "23:59"), zone=zone_where_it_is_noon(database_now()))
    page = ops.get(BOARD).content.decode()
    assert "<p>may be incomplete: no source connected</p>" in page


def test_number_of_statements_is_constant(ops: Client) -> None:
    Board.objects.create(slug="cut", title="Cut-offs", tiles=[{"tile": "cut_offs"}])
    name_cutoffs(("Dallas", "UPS", "23:59"), zone=zone_where_it_is_noon(database_now()))
    due_order("late", at=database_now() - 2 * HOUR)
    few = statements(ops, "/boards/cut")
    name_cutoffs(*((f"W{n}", "UPS", "12:00") for n in range(20)), code="other")
    now_orders()
    assert statements(ops, "/boards/cut") == few
