"""The tour of the demo: six steps, each done or not by what the person has opened and done."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from visibility.models import Alert, AuditEntry, Order
from visibility.models.permission import Permission
from visibility.preferences.demo_tour import (
    CUSTOMER,
    FIND,
    HIDDEN,
    MISSED,
    READ_WHY,
    load_tour_codes,
)

# The PO of an order that the simulator lets miss its SLA.
TOUR_PO = "4711"
ACKNOWLEDGE, REPLAY = "acknowledge", "replay"
ACTIONS = {"alert.acknowledged": ACKNOWLEDGE, "message.replay": REPLAY}


@dataclass(frozen=True, slots=True)
class _TourStepKind:
    code: str
    title: str
    how: str
    permission: Permission
    action: str


@dataclass(frozen=True, slots=True)
class TourStep:
    """One step: what to do, how, whether it is done, and the page where it is done."""

    code: str
    title: str
    how: str
    action: str
    is_done: bool
    url: str


@dataclass(frozen=True, slots=True)
class TourProgress:
    """How many steps of the person's role are done. `is_hidden`: the person has hidden the tour."""

    done: int
    total: int
    is_hidden: bool


STEPS = (
    _TourStepKind(
        FIND,
        "Find PO 4711",
        "Press / and type 4711. Any number of an order finds it: PO, tracking, invoice.",
        Permission.ORDERS,
        "Search for 4711",
    ),
    _TourStepKind(
        READ_WHY,
        "Read why it is late",
        "Its alert names the rule, the timer and what closes it.",
        Permission.ALERTS_SEE,
        "Open its alert",
    ),
    _TourStepKind(
        ACKNOWLEDGE,
        "Acknowledge an alert by keyboard",
        "In the inbox, j and k move, x selects, and a acknowledges.",
        Permission.ALERTS_MANAGE,
        "Open the inbox",
    ),
    _TourStepKind(
        MISSED,
        "Open the orders that the fill rate missed",
        "Every KPI leads to the orders behind it.",
        Permission.KPIS,
        "Open the missed orders",
    ),
    _TourStepKind(
        REPLAY,
        "Fix and replay a parked message",
        "Map the status that is unknown, then replay the messages that wait for it.",
        Permission.PARKED_REPLAY,
        "Open the parked messages",
    ),
    _TourStepKind(
        CUSTOMER,
        "Open the page of the customer",
        "Under Tracking page of the order, create a link and open it as the customer.",
        Permission.ORDERS_SHARE,
        "Open the order",
    ),
)


@dataclass(frozen=True, slots=True)
class TourReader:
    """Who takes the tour. `sources_only`: they see no alerts about orders."""

    user_id: int
    permissions: Collection[Permission]
    sources_only: bool

    @property
    def steps(self) -> Sequence[_TourStepKind]:
        """The steps that the person may do."""
        return [
            kind
            for kind in STEPS
            if kind.permission in self.permissions
            and not (kind.code == READ_WHY and self.sources_only)
        ]


def load_tour_progress(reader: TourReader) -> TourProgress:
    """The number of steps that are done. Two statements."""
    done, is_hidden = _done_codes(reader.user_id)
    codes = [kind.code for kind in reader.steps]
    return TourProgress(sum(code in done for code in codes), len(codes), is_hidden)


def load_tour(reader: TourReader) -> tuple[Sequence[TourStep], bool]:
    """The steps that the person may do, and whether they have hidden the tour. Four statements."""
    done, is_hidden = _done_codes(reader.user_id)
    urls = _urls()
    steps = [
        TourStep(kind.code, kind.title, kind.how, kind.action, kind.code in done, urls[kind.code])
        for kind in reader.steps
    ]
    return steps, is_hidden


def _done_codes(user_id: int) -> tuple[set[str], bool]:
    stored = load_tour_codes(user_id)
    actions = AuditEntry.objects.filter(user_id=user_id, action__in=ACTIONS)
    done = {ACTIONS[action] for action in actions.values_list("action", flat=True).distinct()}
    return done | stored, HIDDEN in stored


def _urls() -> dict[str, str]:
    """The page of each step. Before the order exists, the search takes its place."""
    search = f"/search?q={TOUR_PO}"
    order = Order.objects.filter(customer_po=TOUR_PO).order_by("pk").first()
    alert = Alert.objects.filter(order=order.pk).order_by("-pk").first() if order else None
    page = f"/orders/{order.pk}" if order else search
    return {
        FIND: search,
        READ_WHY: f"/alerts/{alert.pk}" if alert else page,
        ACKNOWLEDGE: "/alerts?view=mine-or-unassigned&by=one",
        MISSED: "/numbers/fill_rate/orders?part=missed",
        REPLAY: "/messages?state=parked",
        CUSTOMER: f"{page}#tracking-page" if order else search,
    }
