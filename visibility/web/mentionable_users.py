"""The people whom a note can mention: those who may write such notes and see what they are on."""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db.models import Q

from visibility.models import Alert
from visibility.screens.orders.people_on_order import person_name
from visibility.storage.order_notes_and_watches import mentioned_usernames
from visibility.web.permissions import ROLE_PERMISSIONS, Permission, UserRole

MAX_USERS = 500
# Buttons that insert the name of a colleague.
MAX_SUGGESTED = 12


def mentionable_users() -> Sequence[User]:
    """The active users who may write notes on orders, by username."""
    return _active_users(ROLE_PERMISSIONS[Permission.ORDERS_NOTE])


def mentionable_users_of_alert(alert_id: int) -> Sequence[User]:
    """The active users who may write notes on the alert, by username.

    Integrators see only alerts about sources.
    """
    users_roles = set(ROLE_PERMISSIONS[Permission.ALERTS_NOTE])
    if not Alert.objects.filter(pk=alert_id, source__isnull=False).exists():
        users_roles.discard(UserRole.INTEGRATOR)
    return _active_users(users_roles)


def _active_users(users_roles: set[UserRole] | frozenset[UserRole]) -> Sequence[User]:
    rows = User.objects.filter(is_active=True).filter(
        Q(groups__name__in=[role.value for role in users_roles]) | Q(is_superuser=True)
    )
    return list(rows.distinct().order_by("username")[:MAX_USERS])


def suggested_colleagues(mentionable: Sequence[User], user_id: int) -> Sequence[User]:
    """The first colleagues whom buttons of a note form offer."""
    return [user for user in mentionable if user.pk != user_id][:MAX_SUGGESTED]


def mention_sentences(text: str, mentioned: Sequence[User]) -> str:
    """Whom a note mentions, and the first name that is nobody's; empty without an @."""
    known = {user.get_username().casefold() for user in mentioned}
    unknown = [name for name in mentioned_usernames(text) if name.casefold() not in known]
    sentences = []
    if mentioned:
        sentences.append(f"Mentioned: {', '.join(person_name(user) for user in mentioned)}.")
    if unknown:
        sentences.append(f"No colleague has the username {unknown[0][:60]}.")
    return " ".join(sentences)
