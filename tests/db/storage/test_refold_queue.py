"""The refold queue: orders are claimed without waiting, and no request is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction

from visibility.db.database_time import database_now
from visibility.models import Order
from visibility.models.objects_and_identifiers import BusinessObject, ObjectRelation
from visibility.models.refold_requests import RefoldRequest
from visibility.storage import refold_queue
from visibility.storage.refold_queue import claim_batch, enqueue_refolds, postpone_requests

pytestmark = pytest.mark.django_db(transaction=True)


def create_object(kind: str = "order", **more: object) -> int:
    return BusinessObject.objects.create(kind=kind, **more).pk


def add_parents(child: int, *parents: int) -> int:
    for parent in parents:
        ObjectRelation.objects.create(parent_id=parent, child_id=child, event_id=0)
    return child


@contextmanager
def locked_elsewhere(order: int) -> Iterator[None]:
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute(
            "SELECT 1 FROM visibility_businessobject WHERE id = %s FOR NO KEY UPDATE", [order]
        )
        yield
        other.rollback()


def claim_orders(limit: int = 10) -> list[int]:
    with transaction.atomic():
        return list(claim_batch(limit).orders)


def queued_objects() -> list[int]:
    return list(RefoldRequest.objects.order_by("pk").values_list("object_id", flat=True))


def test_order_is_claimed_once_with_all_its_requests() -> None:
    order = create_object()
    parcel = add_parents(create_object("package"), add_parents(create_object("shipment"), order))
    enqueue_refolds([order])
    enqueue_refolds([parcel])
    enqueue_refolds([order])
    with transaction.atomic():
        batch = claim_batch(10)
    assert (list(batch.orders), len(batch.request_ids)) == ([order], 3)
    assert queued_objects() == []


def test_later_requests_are_deleted_with_their_order() -> None:
    """Otherwise an order would be folded once for each of its requests."""
    order, others = create_object(), [create_object() for _ in range(30)]
    parcel = add_parents(create_object("package"), add_parents(create_object("shipment"), order))
    enqueue_refolds([order])
    enqueue_refolds(others)
    enqueue_refolds([parcel])
    with transaction.atomic():
        batch = claim_batch(1)
    assert (list(batch.orders), len(batch.request_ids)) == ([order], 2)
    assert queued_objects() == others


def create_large_order(events: int, *, folded_ago: timedelta = timedelta()) -> int:
    """Create an order with this number of events, folded this long ago."""
    order = create_object()
    Order.objects.create(object_id=order, event_count=events, folded_at=database_now() - folded_ago)
    return order


def test_large_order_in_cooldown_does_not_block_other_orders() -> None:
    heavy, light, other = create_large_order(10_000), create_large_order(900), create_object()
    parcel = add_parents(create_object("package"), heavy, other)
    enqueue_refolds([heavy, light, parcel])
    enqueue_refolds([heavy])
    assert claim_orders() == [light, other]
    assert queued_objects() == [heavy]
    assert RefoldRequest.objects.get().due_at > database_now() + timedelta(seconds=25)
    enqueue_refolds([parcel])
    assert claim_orders() == [other]
    assert queued_objects() == [heavy]
    Order.objects.filter(pk=heavy).update(folded_at=database_now() - timedelta(minutes=1))
    RefoldRequest.objects.update(due_at=database_now())
    assert claim_orders() == [heavy]
    assert queued_objects() == []


def test_cooldown_is_limited_to_a_minute() -> None:
    enqueue_refolds([create_large_order(1_000_000)])
    assert claim_orders() == []
    assert RefoldRequest.objects.get().due_at <= database_now() + timedelta(minutes=1)


def test_batch_is_limited_by_the_number_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refold_queue, "MAX_BATCH_EVENTS", 100)
    ago = timedelta(hours=1)
    first, second, third = (create_large_order(n, folded_ago=ago) for n in (300, 60, 40))
    shared = add_parents(create_object("shipment"), second, third)
    enqueue_refolds([first])
    enqueue_refolds([shared])
    enqueue_refolds([third])
    assert claim_orders() == [first]
    assert claim_orders() == [second, third]
    assert queued_objects() == []


def test_request_of_an_order_locked_by_another_worker_remains() -> None:
    first, second = create_object(), create_object()
    enqueue_refolds([first, second])
    with locked_elsewhere(first):
        assert claim_orders(limit=1) == [second]
        assert queued_objects() == [first]
    assert claim_orders() == [first]


def test_request_is_deleted_only_when_all_its_orders_are_locked() -> None:
    first, second = create_object(), create_object()
    shared = add_parents(create_object("shipment"), first, second)
    enqueue_refolds([shared])
    with locked_elsewhere(second):
        assert claim_orders() == []
        assert queued_objects() == [shared]
    assert claim_orders(limit=1) == [first, second]
    assert queued_objects() == []


def test_merged_order_leads_to_the_surviving_order_and_orphan_to_none() -> None:
    winner = create_object()
    loser = create_object(merged_into_id=winner)
    enqueue_refolds([loser, create_object("shipment")])
    assert claim_orders() == [winner]
    assert queued_objects() == []


def test_oldest_requests_come_first_and_postponed_requests_last() -> None:
    orders = [create_object() for _ in range(4)]
    for order in reversed(orders):
        enqueue_refolds([order])
    with transaction.atomic():
        batch = claim_batch(2)
        assert list(batch.orders) == orders[2:]
        transaction.set_rollback(True)
    assert sorted(postpone_requests(batch.request_ids)) == orders[2:]
    assert claim_orders() == orders[:2]
    assert sorted(queued_objects()) == orders[2:]
