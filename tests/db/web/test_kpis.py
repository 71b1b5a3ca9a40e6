"""KPI pages: overview, one KPI, and the orders of a KPI."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.alerts import order, statements
from tests.builders.kpi_facts import create_fact, recompute_cells
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.formatting import in_zone
from visibility.kpi import drilldown, select_cells_or_facts
from visibility.models import KpiFact, Order
from visibility.screens import chart_theme_and_cache
from visibility.screens import charts as figures
from visibility.screens.orders import order_list
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"
ADDRESSES = ("/numbers", "/numbers/fill_rate", "/numbers/fill_rate/orders")


@pytest.fixture
def reader() -> Client:
    return signed_in(UserRole.EXECUTIVE, "eve")


def today() -> date:
    """In the organization's zone."""
    return in_zone(database_now(), settings.TIME_ZONE).date()


def fact(
    numerator: int | None = 1,
    denominator: int | None = 1,
    *,
    days_ago: int = 1,
    of: Order | None = None,
    **fields: Any,
) -> KpiFact:
    """Create the fact of an order of the group "Retail", and compute its cells."""
    created = create_fact(
        numerator,
        denominator,
        day=today() - timedelta(days=days_ago),
        order=(of or order("SO-1")).object,
        **{"customer_group": "Retail"} | fields,
    )
    recompute_cells()
    return created


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode().replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize("role", [UserRole.EXECUTIVE, UserRole.OPERATIONS, UserRole.ADMIN])
@pytest.mark.parametrize("address", ADDRESSES)
def test_executive_operations_and_admin_can_open_kpis(role: UserRole, address: str) -> None:
    assert signed_in(role).get(address).status_code == 200


@pytest.mark.parametrize("role", [UserRole.CUSTOMER_SERVICE, UserRole.INTEGRATOR])
@pytest.mark.parametrize("address", ADDRESSES)
def test_other_roles_get_403(role: UserRole, address: str) -> None:
    assert signed_in(role).get(address).status_code == 403


def test_unknown_kpi_is_404(reader: Client) -> None:
    assert reader.get("/numbers/nothing").status_code == 404
    assert reader.get("/numbers/nothing/orders").status_code == 404


def test_no_orders_shows_message_instead_of_zero_percent(reader: Client) -> None:
    page = text(reader, "/numbers")
    assert "No orders in this date range yet" in page
    assert "No KPI value: no orders reached their cut-off" in page
    assert "0.0%" not in page


@pytest.mark.calendar
def test_headline_shows_values_changes_and_population(reader: Client) -> None:
    fact(3, 4)
    fact(4, 4, days_ago=30)
    fact(2 * 86_400, 1, kpi="order_cycle_time")
    page = text(reader, "/numbers")
    assert "Last 28 days: line fill 75.0% (target 96%)" in page
    assert "25.0 points worse than the previous 28 days (100.0%)" in page
    assert "Median cycle time 2 d, P90 2 d" in page
    assert "3 of 4 lines, 1 order" in page


@pytest.mark.calendar
def test_undelivered_orders_link_preserves_filters(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, days in (("SO-3", 3), ("SO-9", 9), ("SO-5", 5)):
        waiting = order(number)
        Order.objects.filter(pk=waiting.pk).update(
            ordered_at=database_now() - timedelta(days=days),
            last_event_at=database_now(),
            channel="Web",
            customer_group="Retail",
        )
        fact(
            None,
            kpi="undelivered_orders",
            of=waiting,
            days_ago=days,
            started_at=database_now() - timedelta(days=days),
        )
    for address in ("/numbers", "/numbers/order_cycle_time"):
        page = reader.get(address, {"channel": "Web", "group": "Retail"}).content.decode()
        link = re.search(r'<a href="/orders\?([^"]+)">3 undelivered orders, ([^<]+)<', page)
        assert link is not None
        assert link[2].startswith("median age 5\u00a0d")
        listed = text(reader, f"/orders?{html.unescape(link[1])}")
        positions = [listed.index(number) for number in ("SO-9", "SO-5", "SO-3")]
        assert positions == sorted(positions)
    assert "SO-9" not in text(reader, "/orders?undelivered=1&group=Municipal")
    monkeypatch.setattr(order_list, "PAGE_SIZE", 2)
    page = reader.get("/orders?undelivered=1").content.decode()
    next_link = re.search(r'href="([^"]+)">Next page', page)
    assert next_link is not None
    assert "SO-3" not in page
    last_page = text(reader, f"/orders{html.unescape(next_link[1])}")
    assert "SO-3" in last_page
    assert "SO-9" not in last_page


def test_undelivered_orders_of_unknown_group_have_no_link(reader: Client) -> None:
    fact(None, kpi="undelivered_orders", customer_group="", started_at=database_now())
    page = text(reader, "/numbers?group=none")
    assert "1 undelivered order" in page
    assert "/orders?undelivered" not in page


def test_tile_shows_excluded_orders_by_reason(reader: Client) -> None:
    fact(1, 1)
    fact(None, None, excluded="no_lines")
    page = text(reader, "/numbers")
    assert "1 order excluded" in page
    assert "1: no order lines received" in page
    assert "Small sample (under 30 orders)" in page


def test_excluded_lines_link_to_their_orders(reader: Client) -> None:
    fact(3, 4, of=order("SO-1"), uncountable={"unit": 2})
    fact(1, 1, of=order("SO-2"), uncountable={"unknown_sku": 1})
    fact(1, 1, of=order("SO-3"))
    page = text(reader, "/numbers/fill_rate")
    assert "3 lines excluded" in page
    link = re.findall(r'href="([^"]*part=uncountable[^"]*reason=unit)"', page)[0].replace(
        "&amp;", "&"
    )
    behind = text(reader, link)
    assert "Orders with excluded lines" in behind
    assert "3 of 4 lines; excluded: 2 lines in units without a conversion" in behind
    listed = behind.split("<tbody>")[1]
    assert ("SO-1" in listed, "SO-2" in listed, "SO-3" in listed) == (True, False, False)
    every = text(reader, "/numbers/fill_rate/orders?part=uncountable").split("<tbody>")[1]
    assert ("SO-1" in every, "SO-2" in every, "SO-3" in every) == (True, True, False)
    assert "lines excluded" not in text(reader, "/numbers/on_time")


def test_page_without_excluded_lines_says_so(reader: Client) -> None:
    fact(1, 1)
    assert "Orders with excluded lines" not in text(reader, "/numbers/fill_rate/orders")
    assert "No lines were excluded" in text(reader, "/numbers/fill_rate/orders?part=uncountable")


def test_tile_includes_definition(reader: Client) -> None:
    assert "A line that the seller cancelled for lack of stock counts as missed" in text(
        reader, "/numbers"
    )


@pytest.mark.calendar
def test_charts_are_rendered_as_json_and_tables(reader: Client) -> None:
    fact(3, 4)
    page = reader.get("/numbers").content.decode()
    figures = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    assert [json.loads(figure)["data"][0]["type"] for figure in figures] == ["scatter"] * 2
    assert page.count('class="chart-table"') == 2
    assert "<script>" not in page


def test_unchanged_page_builds_no_figure(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[object] = []

    def render(traces: Sequence[Any], layout: Mapping[str, Any]) -> dict[str, Any]:
        built.append(layout)
        return chart_theme_and_cache.build_themed_plotly_figure_dict(traces, layout)

    monkeypatch.setattr(figures, "build_themed_plotly_figure_dict", render)
    chart_theme_and_cache.cached_figure.cache_clear()
    fact(3, 4)
    fact(4, 4, of=order("SO-3"), days_ago=12)
    first = reader.get("/numbers").content.decode()
    assert len(built) == first.count("data-chart") == 2
    second = reader.get("/numbers").content.decode()
    assert json_of(second) == json_of(first)
    assert len(built) == 2
    # Another date range draws other days.
    reader.get("/numbers?from=now-7d")
    assert len(built) > 2
    before = len(built)
    fact(1, 4, of=order("SO-2"))
    changed = reader.get("/numbers").content.decode()
    assert len(built) == before + 2
    assert json_of(changed) != json_of(first)


def json_of(page: str) -> list[Any]:
    scripts = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    return [json.loads(script) for script in scripts]


@pytest.mark.calendar
def test_matrix_cells_link_to_their_orders(reader: Client) -> None:
    fact(1, 2, channel="Web", warehouse="Dallas")
    fact(2, 2, channel="", warehouse="Reno")
    page = text(reader, "/numbers")
    assert "/numbers/fill_rate/orders?channel=Web&amp;warehouse=Dallas" in page
    assert "/numbers/fill_rate/orders?channel=none&amp;warehouse=Reno" in page
    inside = text(reader, "/numbers/fill_rate/orders?channel=none&warehouse=Reno&part=counted")
    assert "100.0%, 2 of 2 lines, 1 order" in inside


@pytest.mark.calendar
def test_tab_totals_equal_kpi_value(reader: Client) -> None:
    missed, full = order("SO-MISSED"), order("SO-FULL")
    fact(1, 2, of=missed)
    fact(2, 2, of=full)
    fact(None, None, of=order("SO-OUT"), excluded="no_lines")
    page = text(reader, "/numbers/fill_rate/orders?part=missed")
    assert "75.0%, 3 of 4 lines, 2 orders. 1 order excluded." in page
    assert re.findall(r'class="count">(\d+)<', page) == ["1", "1", "1"]
    assert f'href="/orders/{missed.object_id}"' in page
    assert "SO-FULL" not in page
    assert "SO-FULL" in text(reader, "/numbers/fill_rate/orders?part=counted")
    out = text(reader, "/numbers/fill_rate/orders?part=excluded&reason=no_lines")
    assert "Excluded: no order lines received" in out


@pytest.mark.calendar
def test_orders_of_one_day_can_be_listed(reader: Client) -> None:
    fact(0, 1, of=order("SO-TODAY"), days_ago=0)
    fact(0, 1, of=order("SO-BEFORE"), days_ago=2)
    page = text(reader, f"/numbers/fill_rate/orders?day={today()}")
    assert "SO-TODAY" in page
    assert "SO-BEFORE" not in page


def test_customer_number_replaces_name_without_permission() -> None:
    fact(0, 1, of=order("SO-1", customer_name="Nora Quist", customer_no="C100"))
    executive, operations = signed_in(UserRole.EXECUTIVE), signed_in(UserRole.OPERATIONS)
    address = "/numbers/fill_rate/orders?part=missed"
    assert "C100" in text(executive, address)
    assert "Nora Quist" not in text(executive, address)
    assert "Nora Quist" in text(operations, address)


def test_orders_are_paginated(reader: Client) -> None:
    for index in range(drilldown.PAGE_SIZE + 1):
        fact(0, 1, of=order(f"SO-{index}"))
    page = text(reader, "/numbers/fill_rate/orders?part=missed")
    following = re.search(r'href="\?([^"]*after=[^"]*)"', page)
    assert following
    second_page = text(reader, "/numbers/fill_rate/orders?" + following[1].replace("&amp;", "&"))
    assert len(re.findall(r'href="/orders/\d+"', second_page)) == 1
    assert "First page" in second_page


@pytest.mark.calendar
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("from=now-7d", "Last 7 days"),
        ("from=now-1d", "Today so far"),
        ("from=2026-01-05&to=2026-01-05", "On Mon, Jan 5, 2026"),
        ("from=2026-01-05&to=2026-01-31", "Mon, Jan 5, 2026 to Sat, Jan 31, 2026"),
    ],
)
def test_date_range_label(reader: Client, query: str, expected: str) -> None:
    assert f"{expected}:" in text(reader, f"/numbers?{query}")


@pytest.mark.calendar
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
def test_invalid_date_range_falls_back_to_28_days(reader: Client, query: str) -> None:
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
def test_invalid_query_parameters_are_ignored(reader: Client, query: str) -> None:
    for address in ADDRESSES:
        assert reader.get(f"{address}?{query}").status_code == 200


def test_html_in_data_is_escaped(reader: Client) -> None:
    hostile_order = order(HOSTILE, customer_no=HOSTILE, answer=HOSTILE)
    fact(0, 1, of=hostile_order, channel=HOSTILE, warehouse=HOSTILE)
    for address in (*ADDRESSES, f"/numbers?channel={HOSTILE}"):
        page = reader.get(address).content.decode()
        assert HOSTILE not in page
        assert "script&gt;" in page or "\\u003Cscript" in page


@pytest.mark.calendar
def test_only_ranges_including_today_update_live(reader: Client) -> None:
    assert 'data-live="order"' in text(reader, "/numbers").split('id="tiles"')[1][:120]
    closed = text(reader, "/numbers?from=2026-01-05&to=2026-01-31")
    assert "data-live" not in closed.split('id="tiles"')[1][:120]


def test_statement_count_does_not_grow_with_orders(reader: Client) -> None:
    fact(0, 1, of=order("SO-0"))
    few = [statements(reader, address) for address in ADDRESSES]
    for index in range(1, 25):
        fact(0, 1, of=order(f"SO-{index}"), days_ago=index, channel=f"C{index % 4}")
    assert [statements(reader, address) for address in ADDRESSES] == few
    # The 13 weeks of the lines in the tiles, the compared values of the chart, its notes, and
    # the compared segments of each dimension and of channel with warehouse; the sources, of which
    # a silent one makes values provisional.
    assert max(few) <= 31


@pytest.mark.calendar
def test_days_use_time_zone_of_organization(reader: Client, settings: Settings) -> None:
    settings.TIME_ZONE = "Pacific/Kiritimati"
    ahead = database_now() + timedelta(hours=14)
    page = text(reader, "/numbers?from=now-1d")
    assert f'value="{ahead.date()}"' in page


def open_order(number: str, days: float, **fields: Any) -> Order:
    """An undelivered order that was received so many days ago."""
    waiting = order(number)
    at = database_now() - timedelta(days=days)
    create_fact(
        None,
        day=in_zone(at, settings.TIME_ZONE).date(),
        order=waiting.object,
        kpi="undelivered_orders",
        started_at=at,
        **{"customer_group": "Retail"} | fields,
    )
    recompute_cells()
    return waiting


@pytest.mark.calendar
def test_stock_kpi_shows_number_and_age_and_lists_its_orders(reader: Client) -> None:
    waiting = [open_order(f"SO-{days}", days, channel="Web") for days in (5, 3, 40)]
    page = text(reader, "/numbers/undelivered_orders")
    assert "Last 28 days: undelivered orders 5 d (median age), P90 40 d. 3 orders" in page
    assert "Age of undelivered orders by week" in page
    assert "Breakdown by customer group" in page
    assert "Breakdown by carrier" in page
    listed = text(reader, "/numbers/undelivered_orders/orders")
    assert re.findall(r'class="count">(\d+)<', listed) == ["3", "0"]
    for shown in waiting:
        assert f'href="/orders/{shown.object_id}"' in listed
    assert listed.count(">Since ") == 3
    narrowed = text(reader, "/numbers/undelivered_orders/orders?channel=EDI")
    assert "No orders in this date range." in narrowed
    assert "undelivered orders 5 d" in text(reader, "/numbers/undelivered_orders?channel=Web")


@pytest.mark.calendar
def test_stock_kpi_counts_the_orders_open_at_the_end_of_a_past_range(reader: Client) -> None:
    open_order("SO-NEW", 2)
    old = open_order("SO-OLD", 20)
    past = today() - timedelta(days=10)
    listed = text(reader, f"/numbers/undelivered_orders/orders?day={past}")
    assert f'href="/orders/{old.object_id}"' in listed
    assert "SO-NEW" not in listed


@pytest.mark.calendar
def test_measure_kpi_lists_events_with_their_source_and_message(
    reader: Client, django_user_model: Any
) -> None:
    of = order("SO-1")
    for index, (source, seconds) in enumerate([("erp", 30), ("erp", 90), ("wms", 7200)]):
        fact(
            seconds,
            1,
            of=of,
            kpi="event_delay",
            source=source,
            subject_key=str(index + 1),
            started_at=database_now() - timedelta(days=1),
        )
    fact(None, None, of=of, kpi="event_delay", subject_key="9", excluded="no_event_time")
    page = text(reader, "/numbers/event_delay")
    assert "Last 28 days: event delay 2 min (median duration)" in page
    assert "3 events" in page
    assert "1 event excluded" in page
    assert "Breakdown by source" in page
    assert "Events counted" in page
    listed = text(reader, "/numbers/event_delay/orders?part=counted&source=erp")
    assert "Event delay: events" in listed
    assert listed.count(f'href="/orders/{of.object_id}"') == 2
    late = text(reader, "/numbers/event_delay/orders")
    assert "2 h" in late
    assert '<td data-title="Event source">wms</td>' in late


def test_overview_has_a_tile_for_each_family(reader: Client) -> None:
    open_order("SO-1", 5)
    fact(30, 1, kpi="event_delay", subject_key="1", source="erp")
    page = text(reader, "/numbers")
    assert '<span data-mark="undelivered_orders">5 d</span>' in page
    assert '<span data-mark="event_delay">30 s</span>' in page
    assert 'href="/numbers/event_delay/orders?' in page


def test_page_explains_that_a_combination_has_too_many_orders(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select_cells_or_facts, "MAX_FACTS", 2)
    for number in range(3):
        fact(0, 1, of=order(f"SO-{number}"), customer="C1")
    query = "?customer=C1&channel=Web"
    for address in ("/numbers/fill_rate", "/numbers/fill_rate/orders"):
        page = text(reader, address + query)
        assert "Choose a shorter date range or fewer filters" in page
        assert "more than 2 facts" in page
    page = text(reader, "/numbers/fill_rate?customer=C1")
    assert "75" not in re.sub(r'<input[^>]*csrf[^>]*>|nonce="[^"]*"', "", page)
