"""Add, change, share and remove saved views of lists. Each change is audited."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from psycopg.errors import UniqueViolation

from visibility.models import SavedView, Team
from visibility.models.audit import append_audit_entry
from visibility.models.list_views import MAX_NAME_LENGTH

# Of one person for one list: the menu stays readable.
MAX_SAVED_VIEWS = 50
MAX_LISTED = 200
NAME, TEAM = "name", "team"
CHANGED_FIELDS = (NAME, "query", TEAM, "changed_at")
# The constraint in the database.
UNIQUE_NAME = "saved_view_unique"


class InvalidSavedView(ValueError):
    """A saved view is invalid. `field`: which of its fields."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class UnknownSavedView(LookupError):
    """There is no such saved view, or this person may not see it."""


class NotOwnerOfSavedView(PermissionError):
    """Only its owner or an administrator may change a saved view."""


@dataclass(frozen=True, slots=True)
class ViewEditor:
    """The person who reads or changes saved views."""

    user: User
    is_administrator: bool


@dataclass(frozen=True, slots=True)
class SavedViewChange:
    """What to change; None leaves a field as it is. `team`: a slug; empty: not shared.

    `query`: a query string that the list has checked.
    """

    name: str | None = None
    query: str | None = None
    team: str | None = None


def visible_saved_views(editor: ViewEditor) -> QuerySet[SavedView]:
    """The saved views of the person and of their teams; all of them for an administrator."""
    views = SavedView.objects.select_related("owner", "team").order_by("list", "name", "pk")
    if editor.is_administrator:
        return views
    teams = Team.objects.filter(members=editor.user)
    return views.filter(Q(owner=editor.user) | Q(team__in=teams))


def saved_views_of_menu(user: User, list_code: str) -> Sequence[SavedView]:
    """The saved views of one list that the menu shows. One statement."""
    editor = ViewEditor(user, is_administrator=False)
    return list(visible_saved_views(editor).filter(list=list_code)[:MAX_LISTED])


def teams_to_share_with(editor: ViewEditor) -> Sequence[Team]:
    """The teams of the person; all of them for an administrator. One statement."""
    teams = Team.objects.order_by("title")
    return list((teams if editor.is_administrator else teams.filter(members=editor.user))[:200])


def load_visible_saved_view(view_id: int, editor: ViewEditor) -> SavedView:
    """Raises UnknownSavedView."""
    view = visible_saved_views(editor).filter(pk=view_id).first()
    if view is None:
        raise UnknownSavedView(view_id)
    return view


def add_saved_view(
    list_code: str, change: SavedViewChange, *, editor: ViewEditor, now: datetime
) -> SavedView:
    """Add a saved view of the person. Raises InvalidSavedView."""
    owned = SavedView.objects.filter(owner=editor.user, list=list_code)
    if owned.count() >= MAX_SAVED_VIEWS:
        raise InvalidSavedView(
            NAME, f"You have {MAX_SAVED_VIEWS} saved views of this list. Delete one first."
        )
    view = SavedView(owner=editor.user, list=list_code, name="", query="", created_at=now)
    _apply_and_save(view, change, "saved_view.added", editor=editor, now=now)
    return view


def change_saved_view(
    view_id: int, change: SavedViewChange, *, editor: ViewEditor, now: datetime
) -> SavedView:
    """Rename or share it, or store other filters.

    Raises UnknownSavedView, NotOwnerOfSavedView, InvalidSavedView.
    """
    with transaction.atomic():
        view = lock_own_saved_view(view_id, editor)
        _apply_and_save(view, change, "saved_view.changed", editor=editor, now=now)
    return view


def remove_saved_view(view_id: int, *, editor: ViewEditor, now: datetime) -> SavedView:
    """Remove it, and return it as it was. Raises UnknownSavedView, NotOwnerOfSavedView."""
    with transaction.atomic():
        view = lock_own_saved_view(view_id, editor)
        SavedView.objects.filter(pk=view.pk).delete()
        _audit("saved_view.removed", view, {NAME: view.name}, editor=editor, now=now)
    return view


def may_change_saved_view(view: SavedView, editor: ViewEditor) -> bool:
    """Whether the person owns it or is an administrator."""
    return editor.is_administrator or view.owner_id == editor.user.pk


def lock_own_saved_view(view_id: int, editor: ViewEditor) -> SavedView:
    """Lock it until the transaction ends, so that no change of someone else is lost.

    Raises UnknownSavedView, NotOwnerOfSavedView.
    """
    views = visible_saved_views(editor).select_for_update(of=("self",))
    view = views.filter(pk=view_id).first()
    if view is None:
        raise UnknownSavedView(view_id)
    if not may_change_saved_view(view, editor):
        raise NotOwnerOfSavedView(
            f"“{view.name}” belongs to {view.owner.get_username()}. Only its owner or an "
            "administrator can change it."
        )
    return view


def _apply_and_save(
    view: SavedView, change: SavedViewChange, action: str, *, editor: ViewEditor, now: datetime
) -> None:
    before = (view.name, view.query, view.team)
    if change.name is not None or not view.name:
        view.name = _checked_name(change.name or "")
    if change.query is not None:
        view.query = change.query
    if change.team is not None:
        view.team = _team_to_share_with(change.team, view, editor)
    view.changed_at = now
    changed: dict[str, Any] = {
        name: value
        for name, value, old in zip(
            (NAME, "query", TEAM), (view.name, view.query, view.team), before, strict=True
        )
        if value != old
    }
    if isinstance(changed.get(TEAM), Team):
        changed[TEAM] = changed[TEAM].slug
    try:
        with transaction.atomic():
            # A view that is gone is not added again.
            view.save(update_fields=CHANGED_FIELDS if view.pk else None)
            _audit(action, view, changed, editor=editor, now=now)
    except IntegrityError as error:
        if not _is_duplicate_name(error):
            raise
        raise InvalidSavedView(
            NAME, f"There is already a saved view “{view.name}” of this list."
        ) from error


def _is_duplicate_name(error: IntegrityError) -> bool:
    cause = error.__cause__
    return isinstance(cause, UniqueViolation) and cause.diag.constraint_name == UNIQUE_NAME


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or not name.isprintable():
        raise InvalidSavedView(NAME, "Enter a name.")
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidSavedView(NAME, f"The name must have at most {MAX_NAME_LENGTH} characters.")
    return name


def _team_to_share_with(slug: str, view: SavedView, editor: ViewEditor) -> Team | None:
    if not slug:
        return None
    if view.team and view.team.slug == slug:
        return view.team
    for team in teams_to_share_with(editor):
        if team.slug == slug:
            return team
    raise InvalidSavedView(TEAM, "You can share only with a team that you are a member of.")


def _audit(
    action: str, view: SavedView, detail: dict[str, Any], *, editor: ViewEditor, now: datetime
) -> None:
    append_audit_entry(
        action,
        user=editor.user,
        object=f"saved view {view.pk}",
        detail={"list": view.list, **detail},
        now=now,
    )
