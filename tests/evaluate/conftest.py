"""A warehouse whose promise is watched, and somebody who is told."""

import pytest
from django.contrib.auth.models import User

from tests.rules import promise
from visibility.models import Source, Subscription, WorkCalendar

ALWAYS = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


@pytest.fixture
def wms() -> Source:
    """One warehouse, and the promise that released orders ship within four hours."""
    calendar = WorkCalendar.objects.create(code="always", title="Always", hours=ALWAYS)
    promise(calendar)
    return Source.objects.create(
        slug="wms", title="Dallas", connector="cloudevents", role="wms", expect_every=None
    )


@pytest.fixture
def olga() -> User:
    user = User.objects.create(username="olga", email="olga@example.invalid")
    Subscription.objects.create(user=user, address=user.email)
    return user
