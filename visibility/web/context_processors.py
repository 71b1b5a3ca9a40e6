"""What every page's frame needs: who is here, where they may go, whether this is the demo."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from visibility.models import AlertState
from visibility.screens.alerts.inbox import IN_HAND, visible
from visibility.web.permissions import Right, Role, may, roles

# Title, address, key after "g", icon, right.
SECTIONS = (
    ("Board", "/boards/operations", "b", "layout-dashboard", Right.BOARDS),
    ("Orders", "/orders", "o", "package", Right.ORDERS),
    ("Alerts", "/alerts", "a", "alert-triangle", Right.ALERTS_SEE),
    ("Numbers", "/numbers", "n", "chart-line", Right.NUMBERS),
    ("Joins", "/joins", "j", "git-merge", Right.JOINS_SEE),
    ("Sources", "/sources", "s", "plug-connected", Right.SOURCES_SEE),
    ("Mappings", "/mappings", "m", "table", Right.MAPPINGS_SEE),
)
ROLE_TITLES = {
    Role.CUSTOMER_SERVICE: "Customer service",
    Role.EXECUTIVE: "Executive",
    Role.OPERATIONS: "Operations",
    Role.INTEGRATOR: "Integrator",
    Role.ADMIN: "Administrator",
}
ALSO = {"messages": "sources", "search": "orders"}  # first words that belong to a section
MANY = 99


@dataclass(frozen=True, slots=True)
class Entry:
    """A section in the rail; `here` is its first page, `active` any page below it."""

    title: str
    url: str
    key: str
    icon: str
    active: bool
    here: bool


@dataclass(frozen=True, slots=True)
class Bell:
    """The alerts in hand that are this person's or nobody's, counted no further than is shown."""

    count: int
    url: str = "/alerts"

    @property
    def shown(self) -> str:
        """The count as it fits on the bell."""
        return str(self.count) if self.count <= MANY else f"{MANY}+"

    @property
    def label(self) -> str:
        """The count in words."""
        if not self.count:
            return "Alerts: none of yours, none unowned"
        many = f"more than {MANY}" if self.count > MANY else str(self.count)
        return f"Alerts: {many} yours or unowned"


@dataclass(frozen=True, slots=True)
class Person:
    """Who is here, as shown in the person menu."""

    name: str
    initials: str
    role: str


def frame(request: HttpRequest) -> dict[str, Any]:
    """The template context of the frame; a page without a frame asks the database nothing."""
    user = getattr(request, "user", None)
    context: dict[str, Any] = {"demo": settings.DEMO, "TIME_ZONE": settings.TIME_ZONE}
    if user is None or not user.is_authenticated:
        return context
    return context | {
        "nav": SimpleLazyObject(lambda: sections(user, request.path)),
        "bell": SimpleLazyObject(lambda: bell(user)),
        "person": SimpleLazyObject(lambda: person(user)),
    }


def sections(user: User, path: str) -> list[Entry]:
    """The sections this person may open."""
    return [
        Entry(title, url, key, icon, active=_below(path, url), here=path == url)
        for title, url, key, icon, right in SECTIONS
        if may(user, right)
    ]


def _below(path: str, url: str) -> bool:
    first = path.split("/")[1]
    return ALSO.get(first, first) == url.split("/")[1]


def bell(user: User) -> Bell | None:
    """One count; integrators are told about the alerts of sources only."""
    if not may(user, Right.ALERTS_SEE):
        return None
    wanted = Q(owner=user, state__in=IN_HAND) | Q(owner=None, state=AlertState.OPEN)
    alerts = visible(sources_only=roles(user) == {Role.INTEGRATOR})
    return Bell(alerts.filter(wanted)[: MANY + 1].count())


def person(user: User) -> Person:
    """The name, its first letters, and what they are here."""
    name = user.get_full_name() or user.get_username()
    initials = "".join(word[0] for word in name.split()[:2]).upper()
    titles = [title for role, title in ROLE_TITLES.items() if role in roles(user)]
    return Person(name, initials, ", ".join(titles) or "No role yet")
