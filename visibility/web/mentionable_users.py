"""The people whom a note on an order can mention: those who may read and write notes."""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db.models import Q

from visibility.web.permissions import ROLE_PERMISSIONS, Permission

MAX_USERS = 500


def mentionable_users() -> Sequence[User]:
    """The active users who may write notes, by username."""
    names = [role.value for role in ROLE_PERMISSIONS[Permission.ORDERS_NOTE]]
    rows = User.objects.filter(is_active=True).filter(
        Q(groups__name__in=names) | Q(is_superuser=True)
    )
    return list(rows.distinct().order_by("username")[:MAX_USERS])
