"""Customers roll up to those above them as it was at the time."""

from datetime import UTC, datetime

import pytest

from tests.master.conftest import put, told
from visibility.master_data.hierarchy import levels, orders_by_level, rolled_up
from visibility.models import Source

pytestmark = pytest.mark.django_db
LAST_YEAR = datetime(2025, 6, 1, tzinfo=UTC)
THIS_YEAR = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def moved(now: datetime) -> None:
    """Branch C-1 belonged to North and has belonged to South since the new year."""
    put(
        "customer",
        {"number": "GROUP"},
        {"number": "NORTH", "parent": "GROUP"},
        {"number": "SOUTH", "parent": "GROUP"},
        {"number": "C-1", "parent": "NORTH"},
        now=now,
    )
    put("customer", {"number": "C-1", "parent": "SOUTH", "valid_from": "2026-01-01"}, now=now)


def test_each_level_is_named_from_below(moved: None) -> None:
    assert levels([("c-1", THIS_YEAR)]) == {("c-1", THIS_YEAR): ("C-1", "SOUTH", "GROUP")}


def test_a_new_parent_does_not_rewrite_last_year(moved: None) -> None:
    sums = rolled_up([("C-1", LAST_YEAR, 10), ("C-1", THIS_YEAR, 3)])
    assert sums == {"C-1": 13, "NORTH": 10, "SOUTH": 3, "GROUP": 13}


def test_an_unknown_customer_is_alone(moved: None) -> None:
    assert levels([("X", THIS_YEAR)]) == {("X", THIS_YEAR): ("X",)}


def test_a_circle_ends(now: datetime) -> None:
    put("customer", {"number": "A", "parent": "B"}, {"number": "B", "parent": "A"}, now=now)
    assert levels([("A", THIS_YEAR)]) == {("A", THIS_YEAR): ("A", "B")}


def test_orders_roll_up_by_their_own_day(erp: Source, moved: None) -> None:
    told(erp, "SO-1", at="2025-06-01T12:00:00Z", customer_no="C-1")
    told(erp, "SO-2", at="2026-06-01T12:00:00Z", customer_no="C-1")
    found = orders_by_level(
        since=datetime(2025, 1, 1, tzinfo=UTC), until=datetime(2027, 1, 1, tzinfo=UTC)
    )
    assert found == {"C-1": 2, "NORTH": 1, "SOUTH": 1, "GROUP": 2}
