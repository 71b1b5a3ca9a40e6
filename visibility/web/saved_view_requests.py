"""What the pages and the API of saved views share: the person, the list, and checked changes."""

from collections.abc import Sequence

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import Http404

from visibility.models import SavedView
from visibility.preferences.saved_views import SavedViewChange, ViewEditor
from visibility.screens.list_registry import LISTS
from visibility.screens.lists.list_definition import ListDefinition, Viewer
from visibility.web.customer_names_in_queries import without_customer_names
from visibility.web.permissions import Permission, has_permission


def view_editor(user: User) -> ViewEditor:
    """The person who reads or changes saved views."""
    return ViewEditor(user, is_administrator=has_permission(user, Permission.ADMINISTER))


def readable_list(code: str, user: User | AnonymousUser) -> ListDefinition:
    """The list. Raises Http404, or PermissionDenied if the person may not open it."""
    definition = LISTS.get(code)
    if definition is None:
        raise Http404(code)
    if not has_permission(user, definition.permission):
        raise PermissionDenied(definition.permission.value)
    return definition


def readable_list_codes(user: User | AnonymousUser) -> list[str]:
    """The lists that the person may open."""
    return [code for code, item in LISTS.items() if has_permission(user, item.permission)]


def readable_queries(views: Sequence[SavedView], viewer: Viewer) -> list[str]:
    """The query string of each view, without names of customers that the person may not see."""
    queries = [view.query for view in views]
    return queries if viewer.may(Permission.CONTACTS) else without_customer_names(queries)


def saved_view_values(name: str, team: str) -> dict[str, str]:
    """What the form of a saved view changes, by label. `team`: a slug, or empty."""
    return {"Name": name, "Share with": team}


def stored_saved_view_values(view: SavedView) -> dict[str, str]:
    return saved_view_values(view.name, view.team.slug if view.team else "")


def checked_saved_view_change(
    definition: ListDefinition,
    viewer: Viewer,
    *,
    name: str | None = None,
    query: str | None = None,
    team: str | None = None,
) -> SavedViewChange:
    """The change with a query string that the list accepts. Raises InvalidListQuery."""
    checked = None if query is None else definition.checked_query(query, viewer)
    return SavedViewChange(name=name, query=checked, team=team)
