"""What a message says: of one alert in full, of several by a line each."""

from collections import Counter
from collections.abc import Sequence

from django.conf import settings

from visibility.models.alerts import STANDING, Alert, AlertState, Notification
from visibility.models.sla import Severity
from visibility.notify.channel import Note

LINES = 50
WORST = tuple(reversed(Severity.values))


def note(rows: Sequence[Notification], *, token: str) -> Note:
    """The message for these rows of one subscription, the same for every channel."""
    alerts = list({row.alert_id: row.alert for row in rows}.values())
    return _one(alerts[0], token) if len(alerts) == 1 else _several(alerts, token)


def _one(alert: Alert, token: str) -> Note:
    rule = alert.rule
    return Note(
        id=token,
        subject=f"[{alert.severity}] {alert.title}",
        text="\n".join(
            part
            for part in (
                alert.title,
                f"Due {alert.due_at:%Y-%m-%d %H:%M} UTC. Team: {alert.team}.",
                f"Expected response: {rule.response}" if rule else "",
                f"{settings.PUBLIC_URL}/alerts/{alert.pk}",
            )
            if part
        ),
    )


def _several(alerts: Sequence[Alert], token: str) -> Note:
    """The worst first, then the longest overdue; beyond so many the inbox must do."""
    ranked = sorted(alerts, key=lambda a: (WORST.index(a.severity), a.due_at, a.pk))
    kinds = Counter(a.rule.title if a.rule else a.title for a in ranked)
    what = ", ".join(f"{title} ({many})" for title, many in kinds.most_common(3))
    more = [f"... and {len(ranked) - LINES} more."] if len(ranked) > LINES else []
    return Note(
        id=token,
        subject=f"[{ranked[0].severity}] {len(ranked)} alerts: {what}",
        text="\n".join(
            [
                f"{len(ranked)} alerts came together: {what}.",
                f"All that need a person: {settings.PUBLIC_URL}/alerts",
                "",
                *map(_line, ranked[:LINES]),
                *more,
            ]
        ),
    )


def _line(alert: Alert) -> str:
    order = getattr(alert.order, "order", None)
    whose = f"{order.number}: " if order else ""
    over = "" if alert.state in STANDING else f" ({AlertState(alert.state).label.lower()} since)"
    words = " ".join(f"{whose}{alert.title}".split())
    return (
        f"[{alert.severity}] {words}{over}, due {alert.due_at:%Y-%m-%d %H:%M} UTC\n"
        f"    {settings.PUBLIC_URL}/alerts/{alert.pk}"
    )
