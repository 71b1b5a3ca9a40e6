"""Customer totals roll up to the parents at the time of the order."""

from datetime import UTC, datetime

import pytest

from tests.db.master_data.conftest import put_rows, receive_order
from visibility.master_data.customer_hierarchy import (
    customer_and_ancestors,
    order_counts_with_descendants,
    roll_up_to_ancestors,
)
from visibility.models import Source

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


def test_levels_are_listed_bottom_up(moved: None) -> None:
    assert customer_and_ancestors([("c-1", THIS_YEAR)]) == {
        ("c-1", THIS_YEAR): ("C-1", "SOUTH", "GROUP")
    }


def test_new_parent_does_not_change_earlier_totals(moved: None) -> None:
    sums = roll_up_to_ancestors([("C-1", LAST_YEAR, 10), ("C-1", THIS_YEAR, 3)])
    assert sums == {"C-1": 13, "NORTH": 10, "SOUTH": 3, "GROUP": 13}


def test_unknown_customer_has_no_ancestors(moved: None) -> None:
    assert customer_and_ancestors([("X", THIS_YEAR)]) == {("X", THIS_YEAR): ("X",)}


def test_cycle_is_cut(now: datetime) -> None:
    put_rows("customer", {"number": "A", "parent": "B"}, {"number": "B", "parent": "A"}, now=now)
    assert customer_and_ancestors([("A", THIS_YEAR)]) == {("A", THIS_YEAR): ("A", "B")}


def test_orders_roll_up_by_their_order_date(erp: Source, moved: None) -> None:
    receive_order(erp, "SO-1", at="2025-06-01T12:00:00Z", customer_no="C-1")
    receive_order(erp, "SO-2", at="2026-06-01T12:00:00Z", customer_no="C-1")
    totals = order_counts_with_descendants(
        since=datetime(2025, 1, 1, tzinfo=UTC), until=datetime(2027, 1, 1, tzinfo=UTC)
    )
    assert totals == {"C-1": 2, "NORTH": 1, "SOUTH": 1, "GROUP": 2}
