"""Queue messages for the subscriptions that follow the state of an alert, such as a pager."""

from visibility.db.data_scope import limited_to
from visibility.models.alerts import NOT_STOPPED, Alert, Notification, Subscription


@limited_to(None)  # all followers, also those that the person does not see
def queue_for_followers(alert: Alert, transition: str) -> None:
    """Queue a message for each follower that received this alert before.

    The message contains the state of the alert when it is sent. Call it in the transaction that
    changes the alert, which has locked it.
    """
    followers = Subscription.objects.filter(
        NOT_STOPPED,
        pk__in=Notification.objects.filter(alert=alert).values("subscription"),
        follows_alerts=True,
        enabled=True,
    )
    rows = []
    for subscription in followers:
        earlier = Notification.objects.filter(
            alert=alert, subscription=subscription, transition__startswith=transition
        ).count()
        rows.append(
            Notification(
                alert=alert,
                episode=alert.episode,
                # An alert can be acknowledged and closed several times in one episode.
                transition=f"{transition}.{earlier}" if earlier else transition,
                subscription=subscription,
            )
        )
    if rows:
        Notification.objects.bulk_create(rows, ignore_conflicts=True)
