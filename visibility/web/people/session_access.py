"""What a session may do, and whether it still may, for what outlives one request."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models.functions import Now

from visibility.db.data_scope import DataScope
from visibility.storage.person_scopes import load_scopes
from visibility.web.people import second_factor
from visibility.web.permissions import UserRole, data_scope, roles


@dataclass(frozen=True, slots=True)
class SessionAccess:
    """The user, roles and scope of a session when an answer or a socket began."""

    user_id: int
    session_key: str
    auth_hash: str
    roles: frozenset[UserRole] = frozenset()
    has_second_factor: bool = False
    data_scope: DataScope | None = None


def current_access(user: User, session: Any) -> SessionAccess:
    """The access of a signed-in user in this request."""
    return SessionAccess(
        user.pk,
        session.session_key,
        user.get_session_auth_hash(),
        roles(user),
        second_factor.session_has_second_factor(user, session),
        data_scope(user),
    )


def still_granted(accesses: Collection[SessionAccess]) -> set[SessionAccess]:
    """Return those whose session is still valid, and whose user has the same roles and scope.

    Also leave out those without a second factor, if one is required now.
    """
    needs_second_factor = second_factor.is_required()
    sessions = set(
        Session.objects.filter(
            session_key__in={access.session_key for access in accesses},
            expire_date__gt=Now(),
        ).values_list("session_key", flat=True)
    )
    users = User.objects.filter(
        pk__in={access.user_id for access in accesses}, is_active=True
    ).prefetch_related("groups")
    current = {user.pk: (user.get_session_auth_hash(), roles(user)) for user in users}
    scopes = load_scopes(current)
    return {
        access
        for access in accesses
        if access.session_key in sessions
        and (access.has_second_factor or not needs_second_factor)
        and current.get(access.user_id) == (access.auth_hash, access.roles)
        and scopes.get(access.user_id) == access.data_scope
    }
