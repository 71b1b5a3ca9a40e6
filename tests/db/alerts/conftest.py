"""A warehouse with an SLA rule, and a user with a subscription."""

import pytest
from django.contrib.auth.models import User

from tests.builders.sla_rules import always_open, create_rule
from tests.builders.sources import create_source
from visibility.models import Source, Subscription


@pytest.fixture
def wms() -> Source:
    """A warehouse, and the rule that released orders ship within four hours."""
    create_rule(always_open(), title="Released orders ship")
    return create_source(title="Dallas", expect_every=None)


@pytest.fixture
def olga() -> User:
    user = User.objects.create(username="olga", email="olga@example.invalid")
    Subscription.objects.create(user=user, address=user.email)
    return user
