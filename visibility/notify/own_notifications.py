"""The alerts that a person receives at the email address of their account."""

from dataclasses import replace
from datetime import datetime

from django.contrib.auth.models import User

from connectors.sdk.settings import SettingError
from visibility.models.alerts import Subscription
from visibility.notify.change_and_test_subscriptions import (
    InvalidSubscription,
    add_subscription,
    change_subscription,
)
from visibility.notify.check_selection import SubscriptionChange

EMAIL, ADDRESS = "email", "address"
NO_ADDRESS = "Your account has no email address. An administrator can enter one under People."


def own_subscription(user: User) -> Subscription | None:
    """The subscription of a person to the address of their account, if there is one."""
    if not user.email:
        return None
    return (
        Subscription.objects.filter(user=user, channel=EMAIL, team=None, removed_at=None)
        .filter(channel_settings__address=user.email)
        .select_related("user", "rule", "team")
        .order_by("pk")
        .first()
    )


def change_own_notifications(
    user: User, change: SubscriptionChange, *, now: datetime
) -> Subscription:
    """Add or change the own subscription. The address is that of the account, and it has no team.

    Raises InvalidSubscription.
    """
    if not user.email:
        raise InvalidSubscription([SettingError(ADDRESS, NO_ADDRESS)])
    change = replace(change, settings={ADDRESS: user.email}, team=None)
    stored = own_subscription(user)
    if stored is None:
        return add_subscription(EMAIL, change, by=user, now=now)
    return change_subscription(stored.pk, change, by=user, now=now)
