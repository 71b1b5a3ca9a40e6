"""The list of orders: filters, one page, the words of its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Q

from visibility.models import STANDING, Alert, Order
from visibility.screens.orders.suppressed_conflicts import contradicting
from visibility.timeline.answer import STATES, TITLES
from visibility.timeline.enums import State
from visibility.timeline.model import Status

PAGE = 50
TONES: Mapping[str, str] = {
    Status.UNKNOWN: "unknown",
    Status.RECEIVED: "running",
    Status.ACCEPTED: "running",
    Status.REJECTED: "late",
    Status.HELD: "waiting",
    Status.RELEASED: "running",
    Status.ALLOCATED: "running",
    Status.BACKORDERED: "waiting",
    Status.PICKED: "running",
    Status.PACKED: "running",
    Status.PARTIALLY_SHIPPED: "risk",
    Status.SHIPPED: "running",
    Status.PARTIALLY_DELIVERED: "risk",
    Status.DELIVERED: "ok",
    Status.COMPLETED: "ok",
    Status.RETURNED: "waiting",
    Status.CREDITED: "ok",
    Status.CANCELLED: "unknown",
}


# One click each: the address and the words.
QUICK = (
    ("late=1", "Late against the promise"),
    ("undelivered=1", "Not yet delivered, oldest first"),
    ("status=released", "Released, not shipped"),
    ("status=held&status=backordered", "Waiting"),
    ("state=credit_review", "Waiting on credit"),
    ("state=stock_shortage", "Delayed by stock shortage"),
    ("status=delivered", "Delivered, not invoiced"),
    ("state=returned&state=partially_returned&without=credited", "Returned, not credited"),
    ("state=conflict", "Conflicting claims"),
)


@dataclass(frozen=True)
class Filters:
    """What the address asks for; anything else is not looked at."""

    statuses: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    channel: str = ""
    warehouse: str = ""
    customer: str = ""
    customer_group: str = ""
    late: bool = False
    # Not yet delivered; these are listed by age, as the numbers tell it.
    undelivered: bool = False
    open_only: bool = False
    # Whether a customer may be asked for by name, or by number alone.
    by_name: bool = True
    chips: tuple[tuple[str, str], ...] = field(default=())

    @classmethod
    def of(
        cls,
        query: Mapping[str, str],
        statuses: Sequence[str],
        *,
        states: Sequence[str] = (),
        without: Sequence[str] = (),
        by_name: bool = True,
    ) -> "Filters":
        """From an address; unknown words are left out."""
        known = tuple(s for s in statuses if s in set(Status))
        states, without = (
            tuple(s for s in names if s in set(State)) for names in (states, without)
        )
        made = cls(
            known,
            states,
            without,
            query.get("channel", ""),
            query.get("warehouse", ""),
            query.get("customer", ""),
            query.get("group", ""),
            query.get("late") == "1",
            query.get("undelivered") == "1",
            query.get("open") == "1",
            by_name,
        )
        chips = [(f"status={s}", TITLES[Status(s)]) for s in known]
        chips += [(f"state={s}", STATES[State(s)]) for s in states]
        chips += [(f"without={s}", f"Not {STATES[State(s)].lower()}") for s in without]
        chips += [
            (f"{name}={text}", f"{name.capitalize()}: {text}")
            for name, text in (
                ("channel", made.channel),
                ("warehouse", made.warehouse),
                ("customer", made.customer),
                ("group", made.customer_group),
            )
            if text
        ]
        chips += [("late=1", "Late against the promise")] if made.late else []
        chips += [("undelivered=1", "Not yet delivered")] if made.undelivered else []
        chips += [("open=1", "Still open")] if made.open_only else []
        return replace(made, chips=tuple(chips))


@dataclass(frozen=True, slots=True)
class Row:
    """One order of the list."""

    order: Order
    title: str
    tone: str
    alerts: int
    late_days: int


def rows(
    filters: Filters, *, now: datetime, after: tuple[datetime, int] | None = None
) -> tuple[list[Row], tuple[datetime, int] | None]:
    """One page, the last word (or the oldest) first, and where the next begins; two statements."""
    found = Order.objects.filter(conditions(filters, now))
    sort, way, sign = (
        ("ordered_at", "gt", "") if filters.undelivered else ("last_event_at", "lt", "-")
    )
    if after:
        at, pk = after
        found = found.filter(Q(**{f"{sort}__{way}": at}) | Q(**{sort: at, f"object_id__{way}": pk}))
    page = list(found.order_by(f"{sign}{sort}", f"{sign}object_id")[: PAGE + 1])
    more = page[PAGE - 1] if len(page) > PAGE else None
    page = page[:PAGE]
    alerts: dict[int, int] = {}
    for order_id in Alert.objects.filter(
        order_id__in=[o.pk for o in page], state__in=STANDING
    ).values_list("order_id", flat=True):
        alerts[order_id or 0] = alerts.get(order_id or 0, 0) + 1
    made = [
        Row(o, TITLES[Status(o.status)], TONES[o.status], alerts.get(o.pk, 0), _late(o, now))
        for o in page
    ]
    return made, (getattr(more, sort), more.pk) if more else None


def conflicting(now: datetime) -> int:
    """How many orders have claims that contradict each other."""
    return Order.objects.filter(contradicting(now=now)).count()


def conditions(filters: Filters, now: datetime) -> Q:
    """The orders that a person's filters leave."""
    conditions = Q(last_event_at__isnull=False)
    if filters.statuses:
        conditions &= Q(status__in=filters.statuses)
    if filters.states:
        conditions &= _any_of(filters.states, now)
    if filters.without:
        conditions &= ~_any_of(filters.without, now)
    for name in ("channel", "warehouse", "customer_group"):
        if getattr(filters, name):
            conditions &= Q(**{name: getattr(filters, name)})
    if filters.customer:
        named = Q(customer_name=filters.customer) if filters.by_name else Q()
        conditions &= Q(customer_no=filters.customer) | named
    if filters.late:
        conditions &= Q(promised_at__lt=now, delivered_at__isnull=True, is_open=True)
    if filters.undelivered:
        conditions &= Q(is_open=True, delivered_at__isnull=True, ordered_at__isnull=False)
    if filters.open_only:
        conditions &= Q(is_open=True)
    return conditions


def _any_of(states: Sequence[str], now: datetime) -> Q:
    others = Q(states__overlap=[s for s in states if s != State.CONFLICT])
    return others | contradicting(now=now) if State.CONFLICT in states else others


def _late(order: Order, now: datetime) -> int:
    if not order.promised_at or order.status in {Status.CANCELLED, Status.REJECTED}:
        return 0
    return max(((order.delivered_at or now) - order.promised_at).days, 0)
