"""A warehouse with an SLA rule, and a user with a subscription."""

import pytest
from django.contrib.auth.models import User

from tests.builders.sla_rules import create_rule
from visibility.models import Source, Subscription, WorkCalendar

ALWAYS = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


@pytest.fixture
def wms() -> Source:
    """A warehouse, and the rule that released orders ship within four hours."""
    calendar = WorkCalendar.objects.create(code="always", title="Always", hours=ALWAYS)
    create_rule(calendar)
    return Source.objects.create(
        slug="wms", title="Dallas", connector="cloudevents", role="wms", expect_every=None
    )


@pytest.fixture
def olga() -> User:
    user = User.objects.create(username="olga", email="olga@example.invalid")
    Subscription.objects.create(user=user, address=user.email)
    return user
