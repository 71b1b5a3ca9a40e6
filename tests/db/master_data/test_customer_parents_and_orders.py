"""Orders count for the parents of their customer at the time of the order."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.db.master_data.conftest import put_rows, receive_order
from visibility.master_data import customer_parents_and_orders
from visibility.master_data.customer_parents_and_orders import (
    OrderCountOrLowerBound,
    ancestors_at_nearest_valid_time,
    count_orders_with_branches,
    customer_and_ancestors,
)
from visibility.models import Order, Source
from visibility.models.master import Customer

pytestmark = pytest.mark.django_db
LAST_YEAR = datetime(2025, 6, 1, tzinfo=UTC)
THIS_YEAR = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def moved(now: datetime) -> None:
    """C-1 belonged to NORTH until the end of 2025 and belongs to SOUTH since then."""
    put_rows(
        "customer",
        {"number": "GROUP"},
        {"number": "NORTH", "parent": "GROUP"},
        {"number": "SOUTH", "parent": "GROUP"},
        {"number": "C-1", "parent": "NORTH"},
        now=now,
    )
    put_rows("customer", {"number": "C-1", "parent": "SOUTH", "valid_from": "2026-01-01"}, now=now)


def counts(*numbers: str) -> dict[str, int]:
    return {number: count_orders_with_branches(number).orders for number in numbers}


def test_levels_are_listed_bottom_up(moved: None) -> None:
    assert customer_and_ancestors("c-1", THIS_YEAR) == ("C-1", "SOUTH", "GROUP")
    assert customer_and_ancestors("c-1", LAST_YEAR) == ("C-1", "NORTH", "GROUP")


def test_unknown_customer_has_no_ancestors(moved: None) -> None:
    assert customer_and_ancestors("X", THIS_YEAR) == ("X",)
    assert counts("X") == {"X": 0}


def test_row_has_the_ancestors_of_its_own_validity(moved: None) -> None:
    earlier, later = Customer.objects.filter(number="C-1").order_by("valid_to")
    for now in (LAST_YEAR, THIS_YEAR):
        assert ancestors_at_nearest_valid_time(earlier, now) == ("NORTH", "GROUP")
        assert ancestors_at_nearest_valid_time(later, now) == ("SOUTH", "GROUP")


def test_cycle_is_cut(erp: Source, now: datetime) -> None:
    put_rows("customer", {"number": "A", "parent": "B"}, {"number": "B", "parent": "A"}, now=now)
    receive_order(erp, "SO-1", customer_no="A")
    assert customer_and_ancestors("A", THIS_YEAR) == ("A", "B")
    assert counts("A", "B") == {"A": 1, "B": 1}


def test_orders_roll_up_by_their_order_date(erp: Source, moved: None) -> None:
    receive_order(erp, "SO-1", at="2025-06-01T12:00:00Z", customer_no="C-1")
    receive_order(erp, "SO-2", at="2026-06-01T12:00:00Z", customer_no="C-1")
    totals = counts("C-1", "NORTH", "SOUTH", "GROUP")
    assert totals == {"C-1": 2, "NORTH": 1, "SOUTH": 1, "GROUP": 2}


def test_order_counts_once_however_many_systems_and_spellings(
    erp: Source, shop: Source, moved: None
) -> None:
    receive_order(erp, "SO-1", customer_no="c-1")
    receive_order(shop, "SO-1", at="2026-03-02T16:00:00Z", customer_no="C-1")
    receive_order(erp, "SO-2", customer_no="GROUP")
    receive_order(erp, "SO-3", customer_no="NORTH")
    receive_order(shop, "SO-3", at="2026-03-02T16:00:00Z", customer_no="SOUTH")
    assert Order.objects.get(number="SO-3").customer_no == "NORTH"
    assert counts("C-1", "NORTH", "SOUTH", "GROUP") == {
        "C-1": 1,
        "NORTH": 1,
        "SOUTH": 1,
        "GROUP": 3,
    }


def test_renamed_parent_does_not_count_orders_twice(
    erp: Source, moved: None, now: datetime
) -> None:
    for valid_from in ("2026-02-01", "2026-04-01"):
        row = {"number": "SOUTH", "parent": "GROUP", "name": "New", "valid_from": valid_from}
        put_rows("customer", row, now=now)
    receive_order(erp, "SO-1", customer_no="C-1")
    receive_order(erp, "SO-2", customer_no="SOUTH")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(customer_parents_and_orders, "MAX_COUNTED", 2)
        assert count_orders_with_branches("SOUTH") == OrderCountOrLowerBound(2)


def test_count_stops_at_its_limit(
    erp: Source, moved: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("SO-1", "SO-2", "SO-3"):
        receive_order(erp, number, customer_no="C-1")
    monkeypatch.setattr(customer_parents_and_orders, "MAX_COUNTED", 3)
    assert count_orders_with_branches("GROUP") == OrderCountOrLowerBound(3)
    monkeypatch.setattr(customer_parents_and_orders, "MAX_COUNTED", 2)
    assert count_orders_with_branches("GROUP") == OrderCountOrLowerBound(2, is_lower_bound=True)


def test_chain_longer_than_the_maximum_is_cut(now: datetime) -> None:
    chain = [f"L{n}" for n in range(customer_parents_and_orders.MAX_DEPTH + 5)]
    rows = [{"number": a, "parent": b} for a, b in zip(chain, [*chain[1:], ""], strict=True)]
    put_rows("customer", *rows, now=now)
    levels = customer_and_ancestors("L0", now + timedelta(days=1))
    assert levels == tuple(chain[: customer_parents_and_orders.MAX_DEPTH + 1])
