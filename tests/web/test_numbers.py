"""The pages of numbers: the answer, the evidence, the orders behind."""

import html
import json
import re
from datetime import date, timedelta

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.web.alert_cast import order, signed_in, statements
from visibility.db.clock import database_now
from visibility.kpi import aggregate, drilldown
from visibility.models import DirtyCell, KpiFact, Order
from visibility.screens.orders import order_list
from visibility.web.permissions import Role

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"
ADDRESSES = ("/numbers", "/numbers/fill_rate", "/numbers/fill_rate/orders")


@pytest.fixture
def reader() -> Client:
    return signed_in(Role.EXECUTIVE, "eve")


def today() -> date:
    return database_now().date()


def fact(
    numerator: int | None = 1,
    denominator: int | None = 1,
    *,
    days_ago: int = 1,
    of: Order | None = None,
    kpi: str = "fill_rate",
    channel: str = "Web",
    warehouse: str = "Dallas",
    excluded: str = "",
    aside: dict[str, int] | None = None,
) -> KpiFact:
    made = KpiFact.objects.create(
        order=(of or order("SO-1")).object,
        kpi=kpi,
        version=1,
        day=today() - timedelta(days=days_ago),
        channel=channel,
        warehouse=warehouse,
        customer_group="Retail",
        numerator=numerator,
        denominator=denominator,
        excluded=excluded,
        aside=aside or {},
    )
    DirtyCell.objects.create(kpi=kpi, day=made.day)
    aggregate.recompute()
    return made


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode().replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize("role", [Role.EXECUTIVE, Role.OPERATIONS, Role.ADMIN])
@pytest.mark.parametrize("address", ADDRESSES)
def test_who_steers_may_see_the_numbers(role: Role, address: str) -> None:
    assert signed_in(role).get(address).status_code == 200


@pytest.mark.parametrize("role", [Role.CUSTOMER_SERVICE, Role.INTEGRATOR])
@pytest.mark.parametrize("address", ADDRESSES)
def test_others_may_not(role: Role, address: str) -> None:
    assert signed_in(role).get(address).status_code == 403


def test_a_number_that_is_not_on_the_shelf_is_not_found(reader: Client) -> None:
    assert reader.get("/numbers/nothing").status_code == 404
    assert reader.get("/numbers/nothing/orders").status_code == 404


def test_nothing_yet_is_said_and_is_not_zero_percent(reader: Client) -> None:
    page = text(reader, "/numbers")
    assert "No order counts in this span yet" in page
    assert "no value: no order reached its cut-off" in page
    assert "0.0 %" not in page


def test_the_headline_answers_in_one_sentence(reader: Client) -> None:
    fact(3, 4)
    fact(4, 4, days_ago=30)
    fact(2 * 86_400, 1, kpi="order_cycle_time")
    page = text(reader, "/numbers")
    assert "Last 28 days: line fill 75.0 % (target 96 %)" in page
    assert "25.0 points worse than the 28 days before (100.0 %)" in page
    assert "Median cycle 2.0 d, P90 2.0 d" in page
    assert "3 of 4 lines, 1 order" in page


def test_the_orders_that_wait_are_one_click_away_with_the_same_filters(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, days in (("SO-3", 3), ("SO-9", 9), ("SO-5", 5)):
        waits = order(number)
        Order.objects.filter(pk=waits.pk).update(
            ordered_at=database_now() - timedelta(days=days),
            last_event_at=database_now(),
            channel="Web",
            customer_group="Retail",
        )
        fact(kpi="undelivered", of=waits, days_ago=days)
    for address in ("/numbers", "/numbers/order_cycle_time"):
        page = reader.get(address, {"channel": "Web", "group": "Retail"}).content.decode()
        said = re.search(r'<a href="/orders\?([^"]+)">3 orders not yet delivered, ([^<]+)<', page)
        assert said is not None
        assert said[2].startswith("median age 5.0")
        listed = text(reader, f"/orders?{html.unescape(said[1])}")
        places = [listed.index(number) for number in ("SO-9", "SO-5", "SO-3")]
        assert places == sorted(places)
    assert "SO-9" not in text(reader, "/orders?undelivered=1&group=Municipal")
    monkeypatch.setattr(order_list, "PAGE", 2)
    page = reader.get("/orders?undelivered=1").content.decode()
    further = re.search(r'href="([^"]+)">Later orders', page)
    assert further is not None
    assert "SO-3" not in page
    rest = text(reader, f"/orders{html.unescape(further[1])}")
    assert "SO-3" in rest
    assert "SO-9" not in rest


def test_the_list_has_no_word_for_orders_whose_group_nobody_knows(reader: Client) -> None:
    nobodys = fact(kpi="undelivered")
    KpiFact.objects.filter(pk=nobodys.pk).update(customer_group="")
    DirtyCell.objects.create(kpi="undelivered", day=nobodys.day)
    aggregate.recompute()
    page = text(reader, "/numbers?group=none")
    assert "1 order not yet delivered" in page
    assert "/orders?undelivered" not in page


def test_a_tile_says_what_is_left_out_and_why(reader: Client) -> None:
    fact(1, 1)
    fact(None, None, excluded="no_lines")
    page = text(reader, "/numbers")
    assert "1 order left out" in page
    assert "1: no order lines are known" in page
    assert "thin: under 30 orders" in page


def test_lines_set_aside_are_said_and_lead_to_their_orders(reader: Client) -> None:
    fact(3, 4, of=order("SO-1"), aside={"unit": 2})
    fact(1, 1, of=order("SO-2"), aside={"unknown_sku": 1})
    fact(1, 1, of=order("SO-3"))
    page = text(reader, "/numbers/fill_rate")
    assert "3 lines set aside" in page
    link = re.findall(r'href="([^"]*part=aside[^"]*reason=unit)"', page)[0].replace("&amp;", "&")
    behind = text(reader, link)
    assert "With lines set aside" in behind
    assert "3 of 4 lines; set aside: 2 lines told in units that nobody has related" in behind
    listed = behind.split("<tbody>")[1]
    assert ("SO-1" in listed, "SO-2" in listed, "SO-3" in listed) == (True, False, False)
    every = text(reader, "/numbers/fill_rate/orders?part=aside").split("<tbody>")[1]
    assert ("SO-1" in every, "SO-2" in every, "SO-3" in every) == (True, True, False)
    assert "set aside" not in text(reader, "/numbers/on_time")


def test_nothing_set_aside_is_said(reader: Client) -> None:
    fact(1, 1)
    assert "lines set aside" not in text(reader, "/numbers/fill_rate/orders")
    assert "No line was set aside" in text(reader, "/numbers/fill_rate/orders?part=aside")


def test_the_definition_stands_beside_the_number(reader: Client) -> None:
    assert "A line we cancelled for want of stock stays in as a miss" in text(reader, "/numbers")


def test_charts_travel_as_json_and_as_tables(reader: Client) -> None:
    fact(3, 4)
    page = reader.get("/numbers").content.decode()
    figures = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    assert [json.loads(figure)["data"][0]["type"] for figure in figures] == ["scatter"] * 2
    assert page.count('class="chart-table"') == 2
    assert "<script>" not in page


def test_the_matrix_opens_the_orders_of_its_cell(reader: Client) -> None:
    fact(1, 2, channel="Web", warehouse="Dallas")
    fact(2, 2, channel="", warehouse="Reno")
    page = text(reader, "/numbers")
    assert "/numbers/fill_rate/orders?channel=Web&amp;warehouse=Dallas" in page
    assert "/numbers/fill_rate/orders?channel=none&amp;warehouse=Reno" in page
    inside = text(reader, "/numbers/fill_rate/orders?channel=none&warehouse=Reno&part=counted")
    assert "100.0 %, 2 of 2 lines, 1 order" in inside


def test_the_tabs_add_up_to_the_number(reader: Client) -> None:
    missed, full = order("SO-MISSED"), order("SO-FULL")
    fact(1, 2, of=missed)
    fact(2, 2, of=full)
    fact(None, None, of=order("SO-OUT"), excluded="no_lines")
    page = text(reader, "/numbers/fill_rate/orders?part=missed")
    assert "75.0 %, 3 of 4 lines, 2 orders. 1 order left out." in page
    assert re.findall(r'part-count">(\d+)<', page) == ["1", "1", "1"]
    assert f'href="/orders/{missed.object_id}"' in page
    assert "SO-FULL" not in page
    assert "SO-FULL" in text(reader, "/numbers/fill_rate/orders?part=counted")
    out = text(reader, "/numbers/fill_rate/orders?part=excluded&reason=no_lines")
    assert "Left out: no order lines are known" in out


def test_one_day_of_the_orders_can_be_opened(reader: Client) -> None:
    fact(0, 1, of=order("SO-TODAY"), days_ago=0)
    fact(0, 1, of=order("SO-BEFORE"), days_ago=2)
    page = text(reader, f"/numbers/fill_rate/orders?day={today()}")
    assert "SO-TODAY" in page
    assert "SO-BEFORE" not in page


def test_who_may_not_see_customers_names_sees_their_numbers() -> None:
    fact(0, 1, of=order("SO-1", customer_name="Nora Quist", customer_no="C100"))
    executive, operations = signed_in(Role.EXECUTIVE), signed_in(Role.OPERATIONS)
    address = "/numbers/fill_rate/orders?part=missed"
    assert "C100" in text(executive, address)
    assert "Nora Quist" not in text(executive, address)
    assert "Nora Quist" in text(operations, address)


def test_orders_come_in_pages(reader: Client) -> None:
    for place in range(drilldown.PAGE + 1):
        fact(0, 1, of=order(f"SO-{place}"))
    page = text(reader, "/numbers/fill_rate/orders?part=missed")
    following = re.search(r'href="\?([^"]*after=[^"]*)"', page)
    assert following
    rest = text(reader, "/numbers/fill_rate/orders?" + following[1].replace("&amp;", "&"))
    assert len(re.findall(r'href="/orders/\d+"', rest)) == 1
    assert "First page" in rest


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=now-7d", "Last 7 days"),
        ("from=now-1d", "Today so far"),
        ("from=2026-01-05&to=2026-01-05", "On Mon 5 Jan 2026"),
        ("from=2026-01-05&to=2026-01-31", "Mon 5 Jan 2026 to Sat 31 Jan 2026"),
    ],
)
def test_a_span_is_told_in_words(reader: Client, query: str, said: str) -> None:
    assert f"{said}:" in text(reader, f"/numbers?{query}")


@pytest.mark.parametrize(
    "query",
    [
        "from=nonsense",
        "from=2026-02-01&to=2026-01-01",
        "from=1900-01-01&to=now",
        "from=2020-01-01&to=2026-01-01",
        "day=2026-99-99",
        "from=9999-99-99",
    ],
)
def test_a_span_that_can_t_be_read_is_said_and_replaced(reader: Client, query: str) -> None:
    page = text(reader, f"/numbers?{query}")
    assert 'role="alert"' in page
    assert "Last 28 days:" in page


@pytest.mark.parametrize(
    "query",
    [
        "channel=%00&warehouse=%00&group=%00&kpi=%00",
        "from=now-99999999999d",
        "part=nothing&reason=%00&after=%00",
        "channel=" + "x" * 5000,
        "kpi=nothing",
    ],
)
def test_an_address_made_up_by_hand_is_answered(reader: Client, query: str) -> None:
    for address in ADDRESSES:
        assert reader.get(f"{address}?{query}").status_code == 200


def test_text_from_outside_is_never_markup(reader: Client) -> None:
    one = order(HOSTILE, customer_no=HOSTILE, answer=HOSTILE)
    fact(0, 1, of=one, channel=HOSTILE, warehouse=HOSTILE)
    for address in (*ADDRESSES, f"/numbers?channel={HOSTILE}"):
        page = reader.get(address).content.decode()
        assert HOSTILE not in page
        assert "script&gt;" in page or "\\u003Cscript" in page


def test_today_follows_live_and_a_closed_span_does_not(reader: Client) -> None:
    assert 'data-live="order"' in text(reader, "/numbers").split('id="tiles"')[1][:120]
    closed = text(reader, "/numbers?from=2026-01-05&to=2026-01-31")
    assert "data-live" not in closed.split('id="tiles"')[1][:120]


def test_the_pages_cost_the_same_however_many_orders(reader: Client) -> None:
    fact(0, 1, of=order("SO-0"))
    few = [statements(reader, address) for address in ADDRESSES]
    for place in range(1, 25):
        fact(0, 1, of=order(f"SO-{place}"), days_ago=place, channel=f"C{place % 4}")
    assert [statements(reader, address) for address in ADDRESSES] == few
    assert max(few) <= 15


def test_days_are_those_of_the_organisation(reader: Client, settings: Settings) -> None:
    settings.TIME_ZONE = "Pacific/Kiritimati"
    ahead = database_now() + timedelta(hours=14)
    page = text(reader, "/numbers?from=now-1d")
    assert f'value="{ahead.date()}"' in page
