"""Two orders are one: what people were told about the one moves to the other, and back by an undo.

Derived rows of the one that is no more are taken away; they are made again for the other.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from visibility.db import bulk
from visibility.db.clock import database_now
from visibility.models.alerts import STANDING, Alert, AlertEntry, AlertState
from visibility.models.objects import BusinessObject, Merge, MovedAlert, MovedEntry

MOST_JOINED = 50
DERIVED = (
    "DELETE FROM visibility_slaclock WHERE order_id = ANY(%s)",
    "DELETE FROM visibility_failedclock WHERE order_id = ANY(%s)",
    """
    INSERT INTO visibility_dirtycell (kpi, day)
    SELECT kpi, day FROM visibility_kpifact WHERE order_id = ANY(%s)
    """,
    "DELETE FROM visibility_kpifact WHERE order_id = ANY(%s)",
    "DELETE FROM visibility_orderline WHERE order_id = ANY(%s)",
    "DELETE FROM visibility_shipment WHERE order_id = ANY(%s)",
    "DELETE FROM visibility_milestone WHERE order_id = ANY(%s)",
    "DELETE FROM visibility_conflict WHERE order_id = ANY(%s)",
    "DELETE FROM visibility_order WHERE object_id = ANY(%s)",
)


class JoinTooLarge(RuntimeError):
    """One more join would make an object of more than 50."""


@dataclass(frozen=True, slots=True)
class Join:
    """One object went into another; by this event and number, or by this act."""

    winner: int
    loser: int
    event_id: int
    number: str
    act_id: int | None


def absorb(joins: Sequence[Join]) -> None:
    """The losers are no orders of their own any more. Call it with all of them locked."""
    if not joins:
        return
    into = {join.loser: join.winner for join in joins}
    with bulk.cursor() as cursor:
        for statement in DERIVED:
            cursor.execute(statement, [sorted(into)])
    Merge.objects.bulk_create(
        [
            Merge(
                winner_id=j.winner,
                loser_id=j.loser,
                event_id=j.event_id,
                number=j.number,
                act_id=j.act_id,
            )
            for j in joins
        ]
    )
    alerts = list(
        Alert.objects.select_for_update()
        .filter(order_id__in={*into, *into.values()}, rule__isnull=False)
        .order_by("pk")
    )
    if any(alert.order_id in into for alert in alerts):
        _move(alerts, into, now=database_now())


def _move(alerts: Sequence[Alert], into: dict[int, int], *, now: datetime) -> None:
    """Each alert to the winner; one that the winner has too is laid into it."""
    held = {(a.order_id, a.rule_id, a.obligation): a for a in alerts if a.order_id not in into}
    for alert in alerts:
        home = alert.order_id
        if home is None or home not in into:
            continue
        key = (into[home], alert.rule_id, alert.obligation)
        if key not in held:
            MovedAlert.objects.get_or_create(alert=alert, defaults={"home_id": home, "at": now})
            alert.order_id = into[home]
            alert.save(update_fields=["order_id"])
            held[key] = alert
        else:
            _lay(alert, into=held[key], now=now)


def _lay(alert: Alert, *, into: Alert, now: datetime) -> None:
    """Two alerts of one promise become one: its history holds both, and no acknowledgement ends."""
    _remember(alert, was=_state(alert), now=now)
    taken = alert.state == AlertState.ACKNOWLEDGED and into.state == AlertState.OPEN
    if taken or (into.owner_id is None and alert.owner_id is not None):
        _remember(into, was=_state(into), now=now, twin=alert)
        into.owner_id = into.owner_id or alert.owner_id
        if taken:
            into.state = AlertState.ACKNOWLEDGED
            into.acknowledged_by_id = alert.acknowledged_by_id
            into.acknowledged_at = alert.acknowledged_at
        into.changed_at = now
        into.save()
    entries = list(AlertEntry.objects.filter(alert=alert))
    MovedEntry.objects.bulk_create(
        [MovedEntry(entry=entry, home=alert) for entry in entries], ignore_conflicts=True
    )
    AlertEntry.objects.filter(alert=alert).update(alert=into)
    if alert.state in STANDING:
        alert.state, alert.resolved_at = AlertState.WITHDRAWN, now
        alert.resolution = f"Its order was joined with another: see alert {into.pk}."
        alert.changed_at = now
        alert.save()


def _state(alert: Alert) -> dict[str, object]:
    at = alert.acknowledged_at
    return {
        "state": str(alert.state),
        "owner_id": alert.owner_id,
        "acknowledged_by_id": alert.acknowledged_by_id,
        "acknowledged_at": at.isoformat() if at else None,
        "resolution": alert.resolution,
        "resolved_at": alert.resolved_at.isoformat() if alert.resolved_at else None,
    }


def _remember(
    alert: Alert, *, was: dict[str, object], now: datetime, twin: Alert | None = None
) -> None:
    assert alert.order_id is not None
    MovedAlert.objects.get_or_create(
        alert=alert, defaults={"home_id": alert.order_id, "was": was, "twin": twin, "at": now}
    )


def give_back(object_ids: Collection[int]) -> None:
    """Objects came apart: each gets the alerts and notes back that were told about it."""
    moved = list(
        MovedAlert.objects.filter(home_id__in=object_ids)
        .select_related("alert", "twin")
        .order_by("pk")
    )
    roots = {
        o.pk: o.merged_into_id or o.pk
        for o in BusinessObject.objects.filter(pk__in={m.home_id for m in moved})
    }
    apart = {m.alert_id for m in moved if m.was and not m.twin_id and roots[m.home_id] == m.home_id}
    for one in moved:
        if one.twin_id:
            if one.twin_id in apart:
                _restore(one, only_if_untouched=True)
        elif one.was:
            if one.alert_id in apart:
                _return_entries(one.alert)
                _restore(one, only_if_untouched=False)
        elif one.alert.order_id != roots[one.home_id]:
            one.alert.order_id = roots[one.home_id]
            one.alert.save(update_fields=["order_id"])
            if roots[one.home_id] == one.home_id:
                one.delete()


def _restore(one: MovedAlert, *, only_if_untouched: bool) -> None:
    """As it stood before the join, unless somebody has acted on it since."""
    alert, was = one.alert, one.was or {}
    if not only_if_untouched or alert.changed_at == one.at:
        for name, value in was.items():
            moment = value and name.endswith("_at")
            setattr(alert, name, datetime.fromisoformat(str(value)) if moment else value)
        alert.save()
    one.delete()


def _return_entries(alert: Alert) -> None:
    moved = MovedEntry.objects.filter(home=alert)
    AlertEntry.objects.filter(pk__in=moved.values_list("entry_id", flat=True)).update(alert=alert)
    moved.delete()
