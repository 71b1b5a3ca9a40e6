"""Marked orders are claimed without waiting, and no mark is lost on the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction

from visibility.db.clock import database_now
from visibility.models import Order
from visibility.models.objects import BusinessObject, ObjectRelation, Refold
from visibility.storage import refold_queue
from visibility.storage.refold_queue import claim, mark, put_off

pytestmark = pytest.mark.django_db(transaction=True)


def made(kind: str = "order", **more: object) -> int:
    return BusinessObject.objects.create(kind=kind, **more).pk


def part(child: int, *parents: int) -> int:
    for parent in parents:
        ObjectRelation.objects.create(parent_id=parent, child_id=child, event_id=0)
    return child


@contextmanager
def folded_elsewhere(order: int) -> Iterator[None]:
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute(
            "SELECT 1 FROM visibility_businessobject WHERE id = %s FOR NO KEY UPDATE", [order]
        )
        yield
        other.rollback()


def taken(limit: int = 10) -> list[int]:
    with transaction.atomic():
        return list(claim(limit).orders)


def left() -> list[int]:
    return list(Refold.objects.order_by("pk").values_list("object_id", flat=True))


def test_an_order_is_claimed_once_with_all_its_marks() -> None:
    order = made()
    parcel = part(made("package"), part(made("shipment"), order))
    mark([order])
    mark([parcel])
    mark([order])
    with transaction.atomic():
        found = claim(10)
    assert (list(found.orders), len(found.marks)) == ([order], 3)
    assert left() == []


def test_marks_far_behind_the_oldest_go_with_their_order() -> None:
    """Otherwise an order is folded as often as its messages are apart."""
    order, others = made(), [made() for _ in range(30)]
    parcel = part(made("package"), part(made("shipment"), order))
    mark([order])
    mark(others)
    mark([parcel])
    with transaction.atomic():
        found = claim(1)
    assert (list(found.orders), len(found.marks)) == ([order], 2)
    assert left() == others


def large(events: int, *, folded_ago: timedelta = timedelta()) -> int:
    """An order of so many events, and when it was folded."""
    order = made()
    Order.objects.create(object_id=order, event_count=events, folded_at=database_now() - folded_ago)
    return order


def test_an_order_of_thousands_of_events_rests_and_holds_nobody_up() -> None:
    heavy, light, other = large(10_000), large(900), made()
    parcel = part(made("package"), heavy, other)
    mark([heavy, light, parcel])
    mark([heavy])
    assert taken() == [light, other]
    assert left() == [heavy]
    assert Refold.objects.get().touched_at > database_now() + timedelta(seconds=25)
    mark([parcel])
    assert taken() == [other]
    assert left() == [heavy]
    Order.objects.filter(pk=heavy).update(folded_at=database_now() - timedelta(minutes=1))
    Refold.objects.update(touched_at=database_now())
    assert taken() == [heavy]
    assert left() == []


def test_no_order_rests_for_longer_than_a_minute() -> None:
    mark([large(1_000_000)])
    assert taken() == []
    assert Refold.objects.get().touched_at <= database_now() + timedelta(minutes=1)


def test_so_many_events_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refold_queue, "MOST_EVENTS", 100)
    ago = timedelta(hours=1)
    first, second, third = (large(n, folded_ago=ago) for n in (300, 60, 40))
    shared = part(made("shipment"), second, third)
    mark([first])
    mark([shared])
    mark([third])
    assert taken() == [first]
    assert taken() == [second, third]
    assert left() == []


def test_another_workers_order_keeps_its_mark_and_nobody_waits() -> None:
    first, second = made(), made()
    mark([first, second])
    with folded_elsewhere(first):
        assert taken(limit=1) == [second]
        assert left() == [first]
    assert taken() == [first]


def test_a_mark_goes_only_with_all_the_orders_it_leads_to() -> None:
    one, other = made(), made()
    shared = part(made("shipment"), one, other)
    mark([shared])
    with folded_elsewhere(other):
        assert taken() == []
        assert left() == [shared]
    assert taken(limit=1) == [one, other]
    assert left() == []


def test_a_merged_order_leads_to_its_winner_and_an_orphan_to_nothing() -> None:
    winner = made()
    loser = made(merged_into_id=winner)
    mark([loser, made("shipment")])
    assert taken() == [winner]
    assert left() == []


def test_the_oldest_marks_come_first_and_what_is_put_off_comes_later() -> None:
    orders = [made() for _ in range(4)]
    for order in reversed(orders):
        mark([order])
    with transaction.atomic():
        found = claim(2)
        assert list(found.orders) == orders[2:]
        transaction.set_rollback(True)
    assert sorted(put_off(found.marks)) == orders[2:]
    assert taken() == orders[:2]
    assert sorted(left()) == orders[2:]
