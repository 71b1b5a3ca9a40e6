"""The permissions of roles, for code that does not know the roles."""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import AnonymousUser, User

from visibility.web.permissions import Permission, has_permission


class RolePermissionBackend(BaseBackend):
    """Answers `user.has_perm("visibility.prices")`; it signs nobody in."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """Whether one of the user's roles grants the permission."""
        app, _, code = perm.partition(".")
        is_known = app == "visibility" and code in set(Permission)
        assert isinstance(user_obj, User | AnonymousUser)
        return is_known and has_permission(user_obj, Permission(code))
