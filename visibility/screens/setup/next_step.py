"""The one next step of an installation that cannot show anything yet."""

from dataclasses import dataclass

from visibility.models import Order, Source
from visibility.models.permission import Permission
from visibility.screens.setup.checklist import is_promise_watched


@dataclass(frozen=True, slots=True)
class SetupStep:
    """Why a page is empty, the page where that ends, and who may do it.

    `missing`: the reason as a clause, for the middle of a sentence.
    """

    sentence: str
    missing: str
    url: str
    action: str
    permission: Permission
    who: str


NO_SOURCE = SetupStep(
    "No source is connected yet.",
    "no source is connected yet",
    "/sources/new",
    "Connect a source",
    Permission.SOURCES_EDIT,
    "an integrator or an administrator",
)
NO_ORDER = SetupStep(
    "No message has named an order yet.",
    "no message has named an order yet",
    "/sources",
    "Check the sources",
    Permission.SOURCES_SEE,
    "an integrator or an administrator",
)
NO_PROMISE = SetupStep(
    "No promise is watched yet: no SLA rule about orders is enabled.",
    "no SLA rule about orders is enabled",
    "/rules",
    "Add an SLA rule",
    Permission.RULES_EDIT,
    "operations or an administrator",
)


def load_next_step() -> SetupStep | None:
    """The first thing that is missing; None if orders arrive and a promise is watched."""
    if not Source.objects.exists():
        return NO_SOURCE
    if not Order.objects.exists():
        return NO_ORDER
    return None if is_promise_watched() else NO_PROMISE


def load_missing_orders() -> SetupStep | None:
    """The same for pages about orders, which do not need a promise."""
    step = load_next_step()
    return None if step is NO_PROMISE else step
