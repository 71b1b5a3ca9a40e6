"""An order is refolded once when its promised date passes without a new event."""

from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from tests.builders.recorded_events import at, delivered, ordered, shipped
from tests.builders.timelines import folded
from visibility.models import BusinessObject, Order, RefoldRequest
from visibility.projection import fold_and_write_orders
from visibility.storage import refold_queue
from visibility.timeline import Timeline

pytestmark = pytest.mark.django_db


def create_order(promise_ends_at: datetime | None) -> int:
    business_object = BusinessObject.objects.create(kind="order")
    Order.objects.create(
        object=business_object, number="x", status="released", promise_ends_at=promise_ends_at
    )
    return business_object.id


def queued_orders() -> list[int]:
    return sorted(RefoldRequest.objects.values_list("object_id", flat=True))


def test_expired_promises_are_enqueued_once(now: datetime) -> None:
    expired = create_order(now - timedelta(minutes=1))
    create_order(now + timedelta(minutes=1))
    create_order(None)
    assert refold_queue.enqueue_expired_promises(now) == 1
    assert queued_orders() == [expired]
    assert refold_queue.enqueue_expired_promises(now) == 0
    assert queued_orders() == [expired]


def promise_end_of(timeline: Timeline) -> datetime | None:
    end = fold_and_write_orders.order_row(1, timeline, now=timeline.as_of)["promise_ends_at"]
    assert end is None or isinstance(end, datetime)
    return end


def test_promised_date_without_time_ends_at_local_midnight(settings: Settings) -> None:
    settings.TIME_ZONE = "America/Chicago"
    timeline = folded(ordered({"A": 5}, promised_at="2026-03-10"), as_of=at(9))
    assert promise_end_of(timeline) == at(11, 5)  # daylight saving time began on the 8th


def test_expired_or_fulfilled_promise_has_no_end() -> None:
    promised = ordered({"A": 5}, promised_at="2026-03-10")
    assert promise_end_of(folded(promised, as_of=at(12))) is None
    events = [promised, shipped({"A": 5}, at(3)), delivered(at(4))]
    assert promise_end_of(folded(*events, as_of=at(5))) is None
    assert promise_end_of(folded(*events[:2], as_of=at(5))) is not None
