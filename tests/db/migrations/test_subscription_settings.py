"""Migration 0016 moves the email address into the settings of its channel."""

from importlib import import_module

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection

from tests.builders.alerts import alert
from visibility.db.database_time import database_now
from visibility.models import Notification, Subscription
from visibility.notify import outbox

pytestmark = pytest.mark.django_db
MIGRATION = import_module("visibility.migrations.0016_subscription_settings")


@pytest.mark.parametrize("is_migrated", [True, False])
def test_subscription_of_an_older_release_still_gets_email(is_migrated: bool) -> None:
    """One that an old process adds after the migration has an address only."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO visibility_subscription (user_id, channel, address, severities, enabled) "
            "VALUES (%s, 'email', 'ops@example.com', '[]', true)",
            [User.objects.create(username="olga").pk],
        )
        if is_migrated:
            cursor.execute(MIGRATION.FILL_SETTINGS)
    subscription = Subscription.objects.get()
    expected = {"address": "ops@example.com"}
    assert subscription.channel_settings == (expected if is_migrated else {})
    assert subscription.stored_non_secret_settings == expected
    Notification.objects.create(
        alert=alert(), episode=1, transition="opened", subscription=subscription
    )
    assert outbox.send_due_notifications(now=database_now()) == 1
    assert mail.outbox[0].to == ["ops@example.com"]
