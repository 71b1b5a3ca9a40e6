"""Template context of every page: navigation, alert badge, signed-in user and demo flag."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from visibility.models import BackgroundExportState
from visibility.screens.alerts.grouping import AlertGrouping
from visibility.screens.alerts.inbox import InboxViewName, mine_or_unassigned, visible_alerts
from visibility.screens.help.guide import guide_page_about
from visibility.screens.setup.demo_tour import TourProgress, load_tour_progress
from visibility.storage.demo_data import demo_data_state_or_latest_known
from visibility.storage.organization import is_checklist_closed, time_zone_without_database
from visibility.web.background_exports import (
    finished_exports_of_session,
    ids_in_session,
    title_of_export,
)
from visibility.web.demo_tour_pages import tour_reader
from visibility.web.page_access import may_open
from visibility.web.people.second_factor_middleware import LACKS_SECOND_FACTOR
from visibility.web.permission_labels import ROLE_TITLES
from visibility.web.permissions import (
    Permission,
    UserRole,
    data_scope,
    has_permission,
    roles,
)
from visibility.web.screen_registry import SCREENS, NavigationEntry, navigation_entries

MAX_SHOWN = 99


@dataclass(frozen=True, slots=True)
class NavItem:
    """A navigation item.

    `is_active`: the page is in this section. `is_current`: it is its first page. `group`: the
    heading it is under, empty for the main sections.
    """

    title: str
    url: str
    key: str
    icon: str
    is_active: bool
    is_current: bool
    group: str = ""


@dataclass(frozen=True, slots=True)
class OwnOrUnassignedAlertBadge:
    """The number of alerts that are the user's or unassigned, counted up to MAX_SHOWN + 1."""

    count: int
    url: str = f"/alerts?view={InboxViewName.MINE_OR_UNASSIGNED}&by={AlertGrouping.NONE}"

    @property
    def is_complete(self) -> bool:
        """Whether all alerts are counted, so that the list has as many."""
        return self.count <= MAX_SHOWN

    @property
    def badge_text(self) -> str:
        """The count as shown on the badge."""
        return str(self.count) if self.is_complete else f"{MAX_SHOWN}+"

    @property
    def accessible_label(self) -> str:
        """The count as an accessible label."""
        if not self.count:
            return "Alerts: none assigned to you, none unassigned"
        count_text = str(self.count) if self.is_complete else f"more than {MAX_SHOWN}"
        return f"Alerts: {count_text} yours or unassigned"


@dataclass(frozen=True, slots=True)
class UserSummary:
    """The signed-in user, as shown in the user menu."""

    name: str
    initials: str
    role: str
    # Which orders the user sees; empty: all.
    scope: str = ""


def page_context(request: HttpRequest) -> dict[str, Any]:
    """The template context. Values are lazy, so a page without navigation runs no query."""
    user = getattr(request, "user", None)
    context: dict[str, Any] = {
        "demo": settings.DEMO,
        "demo_data": SimpleLazyObject(demo_data_state_or_latest_known),
        "TIME_ZONE": time_zone_without_database(),
        "may_open": partial(may_open, user or AnonymousUser()),
    }
    if user is None or not user.is_authenticated or request.META.get(LACKS_SECOND_FACTOR):
        return context
    return context | {
        "nav": (nav := SimpleLazyObject(lambda: nav_items(user, request.path))),
        "has_more_sections": SimpleLazyObject(lambda: any(item.group for item in nav)),
        "bell": SimpleLazyObject(lambda: own_or_unassigned_alert_badge(user)),
        # Only pages of people who wait for an export follow its changes.
        "expects_exports": SimpleLazyObject(lambda: bool(ids_in_session(request))),
        "export_notices": SimpleLazyObject(lambda: export_notices(request)),
        "person": SimpleLazyObject(lambda: user_summary(user)),
        "tour": SimpleLazyObject(lambda: tour_progress_in_demo(user)),
        "guide_page": SimpleLazyObject(lambda: guide_page_about(request.path)),
    }


def nav_items(user: User, path: str) -> list[NavItem]:
    """The sections that the user may open."""
    return [
        NavItem(
            entry.title,
            entry.url,
            entry.key,
            entry.icon,
            is_active=entry.contains(path),
            is_current=path == entry.path,
            group=entry.group,
        )
        for entry in navigation_entries(SCREENS)
        if has_permission(user, entry.permission) and not _is_closed_checklist(entry)
    ]


def _is_closed_checklist(entry: NavigationEntry) -> bool:
    """The set-up is listed until an administrator closes it; the demo needs none."""
    return entry.path == "/setup" and (settings.DEMO or is_checklist_closed())


def own_or_unassigned_alert_badge(user: User) -> OwnOrUnassignedAlertBadge | None:
    """The alert badge; integrators see only alerts of sources. None without permission."""
    if not has_permission(user, Permission.ALERTS_SEE):
        return None
    alerts = visible_alerts(sources_only=roles(user) == {UserRole.INTEGRATOR})
    counted = alerts.filter(mine_or_unassigned(user.pk))[: MAX_SHOWN + 1]
    return OwnOrUnassignedAlertBadge(counted.count())


def export_notices(request: HttpRequest) -> list[tuple[str, str]]:
    """(text, label of the link) of each large export of this session that is finished."""
    return [
        (f"Your export of {title_of_export(export).lower()} is ready.", "Download")
        if export.state == BackgroundExportState.READY
        else (f"Your export of {title_of_export(export).lower()} failed.", "See why")
        for export in finished_exports_of_session(request)
    ]


def tour_progress_in_demo(user: User) -> TourProgress | None:
    """How far the person is on the tour; None outside a demo, or if no step is for their role."""
    if not settings.DEMO:
        return None
    progress = load_tour_progress(tour_reader(user))
    return progress if progress.total else None


def user_summary(user: User) -> UserSummary:
    """The name, initials and roles of the user."""
    name = user.get_full_name() or user.get_username()
    initials = "".join(token[0] for token in name.split()[:2]).upper()
    titles = [title for role, title in ROLE_TITLES.items() if role in roles(user)]
    scope = data_scope(user)
    return UserSummary(
        name,
        initials,
        ", ".join(titles) or "No role yet",
        scope.describe() if scope else "",
    )
