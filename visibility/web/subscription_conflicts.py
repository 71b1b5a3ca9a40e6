"""The values of the form of a subscription, and the conflict if somebody else changed them."""

from datetime import datetime

from visibility.notify.check_selection import SubscriptionChange
from visibility.screens.save_conflicts import (
    NOT_SHOWN_NOTE,
    SaveConflict,
    conflict_with_latest_entry,
)
from visibility.screens.subscriptions import load_subscription_summaries
from visibility.screens.subscriptions.load_subscription_summaries import SubscriptionSummary
from visibility.screens.subscriptions.selection_fields import selected_values_by_label

SAVED = frozenset({"subscription.added", "subscription.changed"})


def subscription_conflict(
    summary: SubscriptionSummary,
    entered: SubscriptionChange | None,
    *,
    now: datetime,
    reload_url: str = "",
    note: str = NOT_SHOWN_NOTE,
) -> SaveConflict:
    """What is stored against what was entered."""
    number = summary.subscription.pk
    history = load_subscription_summaries.subscription_history(number)
    return conflict_with_latest_entry(
        subscription_values_by_label(summary),
        subscription_values_by_label(summary, entered),
        next((e for e in history if e.action in SAVED), None),
        now=now,
        form_id="subscription-form",
        reload_url=reload_url or f"/subscriptions/{number}",
        note=note,
    )


def subscription_values_by_label(
    summary: SubscriptionSummary, entered: SubscriptionChange | None = None
) -> dict[str, str]:
    """What the form shows, stored or as entered; no secret is among them."""
    stored = summary.subscription
    fields = (
        load_subscription_summaries.build_channel_setting_fields(
            summary.channel, stored=summary, entered=entered.settings if entered else None
        )
        if summary.channel
        else []
    )
    enabled = entered.enabled if entered else stored.enabled
    severities = entered.severities if entered else summary.severities
    return {
        **{field.title: field.value for field in fields if not field.is_secret},
        **selected_values_by_label(stored, entered),
        "Severities": ", ".join(sorted(severities or ())),
        "Subscription is enabled": "yes" if enabled else "no",
    }
