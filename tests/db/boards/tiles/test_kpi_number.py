"""The number tile of a KPI, read through the page of its board."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.builders.alerts import order, statements
from tests.builders.kpi_facts import create_fact, recompute_cells
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.formatting import in_zone
from visibility.kpi import facts_and_cells
from visibility.kpi.registry import kpi_registry
from visibility.models import Board, KpiFact
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
BOARD = "/boards/kpis"


def add_board(*entries: dict[str, Any]) -> None:
    Board.objects.create(slug="kpis", title="KPIs", tiles=list(entries))


def page(client: Client, address: str = BOARD) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().replace("\u00a0", " ").split())


def fact(kpi: str, numerator: int, denominator: int, days_ago: int = 1) -> None:
    KpiFact.objects.create(
        order=order(f"SO-{KpiFact.objects.count()}").object,
        kpi=kpi,
        version=1,
        day=in_zone(database_now(), settings.TIME_ZONE).date() - timedelta(days=days_ago),
        channel="Web",
        warehouse="Dallas",
        customer_group="",
        numerator=numerator,
        denominator=denominator,
    )
    facts_and_cells.update_cells()


def test_tile_shows_value_target_and_change_of_its_kpi() -> None:
    add_board({"tile": "kpi_number", "kpi": "fill_rate"}, {"tile": "kpi_number", "kpi": "on_time"})
    fact("fill_rate", 3, 4)
    fact("fill_rate", 4, 4, days_ago=30)
    text = page(signed_in(UserRole.EXECUTIVE))
    assert '<a href="/numbers/fill_rate">' in text
    assert '<span data-mark="kpi-fill_rate">75.0%</span>' in text
    assert "21.0 points below the 96% target" in text
    assert "25.0 points worse than the previous 28 days (100.0%)" in text
    link = '<a href="/numbers/fill_rate/orders">3 of 4 lines, 1 order</a>'
    assert f"Last 28 days: {link}, small sample" in text
    assert "No KPI value: no orders were delivered or reached their promise date" in text


def test_every_kpi_has_a_tile() -> None:
    add_board(*({"tile": "kpi_number", "kpi": code} for code in kpi_registry()))
    client = signed_in(UserRole.EXECUTIVE)
    for address in (BOARD, f"{BOARD}?kiosk=1"):
        text = page(client, address)
        for kpi in kpi_registry().values():
            assert kpi.title in text
        assert "tile-failed" not in text
        assert "Invalid setting" not in text


@pytest.mark.parametrize("kpi", ["nothing", 7, "<script>alert(1)"])
def test_unknown_kpi_is_explained_in_its_tile_only(kpi: Any) -> None:
    add_board({"tile": "kpi_number", "kpi": kpi}, {"tile": "kpi_number", "kpi": "fill_rate"})
    text = page(signed_in(UserRole.EXECUTIVE))
    assert "Invalid setting of this tile. kpi: There is no KPI" in text
    assert "Use one of: event_delay, failed_polls, fill_rate" in text
    assert "<script>alert(1)" not in text
    assert "No KPI value" in text


def test_role_without_kpis_sees_no_value() -> None:
    add_board({"tile": "kpi_number", "kpi": "fill_rate"})
    fact("fill_rate", 3, 4)
    text = page(signed_in(UserRole.INTEGRATOR))
    assert "75.0%" not in text
    assert "Your role does not include this tile." in text


def test_tile_takes_six_statements_for_any_number_of_orders() -> None:
    client = signed_in(UserRole.EXECUTIVE)
    add_board()
    empty = statements(client, BOARD)
    Board.objects.update(tiles=[{"tile": "kpi_number", "kpi": "fill_rate"}])
    for days_ago in range(5):
        fact("fill_rate", 3, 4, days_ago)
    # The value and that before, each with exclusions, the target, and the sources.
    assert statements(client, BOARD) == empty + 6


def test_tile_of_a_stock_kpi_shows_the_orders_that_are_open_now() -> None:
    add_board({"tile": "kpi_number", "kpi": "undelivered_orders"})
    received_at = database_now() - timedelta(days=3)
    create_fact(
        None,
        day=in_zone(received_at, settings.TIME_ZONE).date(),
        kpi="undelivered_orders",
        started_at=received_at,
    )
    recompute_cells()
    text = page(signed_in(UserRole.EXECUTIVE))
    assert '<span data-mark="kpi-undelivered_orders">3 d</span>' in text
    assert "median age" in text
    assert 'Now: <a href="/numbers/undelivered_orders/orders">1 order</a>' in text


def test_tile_of_a_measure_kpi_shows_the_events() -> None:
    add_board({"tile": "kpi_number", "kpi": "event_delay"})
    fact("event_delay", 30, 1)
    text = page(signed_in(UserRole.EXECUTIVE))
    assert '<span data-mark="kpi-event_delay">30 s</span>' in text
    assert 'Last 28 days: <a href="/numbers/event_delay/orders">1 event</a>' in text
