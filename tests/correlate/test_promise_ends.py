"""An order whose promise ends in silence is folded again then, once."""

from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from tests.show.told import THE_SECOND, at, delivered, ordered, shipped, timeline
from visibility.models import BusinessObject, Order, Refold
from visibility.projection import write
from visibility.storage import refold_queue
from visibility.timeline import Timeline

pytestmark = pytest.mark.django_db


def order(promise_ends_at: datetime | None) -> int:
    one = BusinessObject.objects.create(kind="order")
    Order.objects.create(object=one, number="x", status="released", promise_ends_at=promise_ends_at)
    return one.id


def marked() -> list[int]:
    return sorted(Refold.objects.values_list("object_id", flat=True))


def test_only_those_whose_promise_has_ended_and_each_once(now: datetime) -> None:
    over = order(now - timedelta(minutes=1))
    order(now + timedelta(minutes=1))
    order(None)
    assert refold_queue.mark_overdue(now) == 1
    assert marked() == [over]
    assert refold_queue.mark_overdue(now) == 0
    assert marked() == [over]


def row(told: Timeline) -> datetime | None:
    found = write.order_row(1, told, now=told.as_of)["promise_ends_at"]
    assert found is None or isinstance(found, datetime)
    return found


def test_a_bare_promised_date_ends_at_its_midnight(settings: Settings) -> None:
    settings.TIME_ZONE = "America/Chicago"
    told = timeline([ordered({"A": 5}, THE_SECOND, promised_at="2026-03-10")], as_of=at(9))
    assert row(told) == at(11, 5)  # daylight saving time began on the 8th


def test_an_ended_promise_and_a_kept_one_wait_for_nothing() -> None:
    promised = ordered({"A": 5}, THE_SECOND, promised_at="2026-03-10")
    assert row(timeline([promised], as_of=at(12))) is None
    told = [promised, shipped({"A": 5}, at(3)), delivered(at(4))]
    assert row(timeline(told, as_of=at(5))) is None
    assert row(timeline(told[:2], as_of=at(5))) is not None
