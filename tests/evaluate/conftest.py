"""A warehouse whose promise is watched, and somebody who is told."""

import pytest
from django.contrib.auth.models import User

from visibility.models import SlaRule, Source, Subscription, WorkCalendar

ALWAYS = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


@pytest.fixture
def wms() -> Source:
    """One warehouse, and the promise that released orders ship within four hours."""
    calendar = WorkCalendar.objects.create(code="always", title="Always", hours=ALWAYS)
    SlaRule.objects.create(
        code="stuck",
        kind="stuck_in_released",
        title="Released orders ship",
        params={"within": 4},
        severity="high",
        team="Warehouse",
        calendar=calendar,
        response="Call the shift lead.",
        consequence="Misses the cut-off.",
    )
    return Source.objects.create(
        slug="wms", title="Dallas", connector="cloudevents", role="wms", expect_every=None
    )


@pytest.fixture
def olga() -> User:
    user = User.objects.create(username="olga", email="olga@example.invalid")
    Subscription.objects.create(user=user, address=user.email)
    return user
