"""Roles, permissions, and the decorator that protects a view."""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from visibility.db.data_scope import DataScope
from visibility.models.audit import API_TOKEN_NAME
from visibility.models.permission import Permission as Permission
from visibility.storage.person_scopes import load_group_names_and_scope, load_scope

# Attribute of a user object of a request with an API token.
TOKEN_PERMISSIONS = "_token_permissions"  # noqa: S105  # a name

# Attributes of a user object, cached for its request.
ROLE_NAMES, DATA_SCOPE = "_role_names", "_data_scope"
# Attribute of a view with the permissions that protect it.
REQUIRED_PERMISSIONS = "required_permissions"


class UserRole(StrEnum):
    """A user's roles are the names of their groups."""

    CUSTOMER_SERVICE = "customer_service"
    EXECUTIVE = "executive"
    OPERATIONS = "operations"
    INTEGRATOR = "integrator"
    ADMIN = "admin"


CS, EX, OP, IN, AD = (
    UserRole.CUSTOMER_SERVICE,
    UserRole.EXECUTIVE,
    UserRole.OPERATIONS,
    UserRole.INTEGRATOR,
    UserRole.ADMIN,
)
ROLE_PERMISSIONS: dict[Permission, frozenset[UserRole]] = {
    Permission.ORDERS: frozenset({CS, EX, OP, IN, AD}),
    Permission.ORDERS_NOTE: frozenset({CS, OP, AD}),
    Permission.ORDERS_SHARE: frozenset({CS, OP, AD}),
    Permission.CONTACTS: frozenset({CS, OP, AD}),
    Permission.PRICES: frozenset({CS, EX, OP, AD}),
    Permission.BOARDS: frozenset({CS, EX, OP, IN, AD}),
    Permission.BOARDS_EDIT: frozenset({OP, AD}),
    Permission.KPIS: frozenset({EX, OP, AD}),
    Permission.KPIS_NOTE: frozenset({EX, OP, AD}),
    Permission.ALERTS_SEE: frozenset({CS, EX, OP, IN, AD}),
    Permission.ALERTS_NOTE: frozenset({CS, OP, IN, AD}),
    Permission.ALERTS_MANAGE: frozenset({OP, AD}),
    Permission.ALERTS_RESOLVE: frozenset({OP, AD}),
    Permission.EXPORT: frozenset({OP, IN, AD}),
    Permission.MESSAGE_BODIES: frozenset({IN, AD}),
    Permission.SOURCES_SEE: frozenset({OP, IN, AD}),
    Permission.SOURCES_EDIT: frozenset({IN, AD}),
    Permission.PARKED_SEE: frozenset({OP, IN, AD}),
    Permission.PARKED_REPLAY: frozenset({IN, AD}),
    Permission.MATCHING_SEE: frozenset({CS, OP, IN, AD}),
    Permission.MATCHING_EDIT: frozenset({OP, IN, AD}),
    Permission.MAPPINGS_SEE: frozenset({OP, IN, AD}),
    Permission.MAPPINGS_EDIT: frozenset({IN, AD}),
    Permission.RULES_SEE: frozenset({OP, AD}),
    Permission.RULES_EDIT: frozenset({OP, AD}),
    Permission.SUBSCRIPTIONS_SEE: frozenset({OP, IN, AD}),
    Permission.SUBSCRIPTIONS_EDIT: frozenset({OP, AD}),
    Permission.ADMINISTER: frozenset({AD}),
}
# A person with a scope never has these: what they show or change belongs to no order.
NEVER_WITH_SCOPE = frozenset(
    {
        Permission.KPIS_NOTE,
        Permission.MESSAGE_BODIES,
        Permission.SOURCES_SEE,
        Permission.SOURCES_EDIT,
        Permission.PARKED_SEE,
        Permission.PARKED_REPLAY,
        Permission.MATCHING_SEE,
        Permission.MATCHING_EDIT,
        Permission.MAPPINGS_SEE,
        Permission.MAPPINGS_EDIT,
        Permission.RULES_EDIT,
        Permission.ADMINISTER,
    }
)
# Only people with one of these roles can have a scope.
ROLES_WITH_SCOPE = frozenset({CS, EX, OP})
HOME_PAGES = {
    CS: "/orders?open=1",
    EX: "/numbers",
    OP: "/alerts",
    IN: "/sources",
    AD: "/boards/operations",
}


def roles(user: User | AnonymousUser) -> frozenset[UserRole]:
    """The roles of a user; a superuser is an administrator."""
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    names: set[str] | None = user.__dict__.get(ROLE_NAMES)
    if names is None:
        if "groups" in user.__dict__.get("_prefetched_objects_cache", {}):
            names = {group.name for group in user.groups.all()}
            user.__dict__[ROLE_NAMES] = names
        else:
            names = _load_names_and_scope(user)
    granted = {UserRole(name) for name in names if name in set(UserRole)}
    return frozenset(granted | ({AD} if user.is_superuser else set()))


def data_scope(user: User) -> DataScope | None:
    """The orders that the user sees; None: all. Loaded together with the roles."""
    if DATA_SCOPE not in user.__dict__:
        if ROLE_NAMES in user.__dict__:
            user.__dict__[DATA_SCOPE] = load_scope(user.pk)
        else:
            _load_names_and_scope(user)
    scope: DataScope | None = user.__dict__[DATA_SCOPE]
    return scope


def reload_access(user: User) -> None:
    """Forget roles and scope, which may have changed in this request."""
    user.__dict__.pop(ROLE_NAMES, None)
    user.__dict__.pop(DATA_SCOPE, None)


def _load_names_and_scope(user: User) -> set[str]:
    """Load the names of the groups and the scope, and keep them for this request."""
    names, user.__dict__[DATA_SCOPE] = load_group_names_and_scope(user.pk)
    user.__dict__[ROLE_NAMES] = names
    return names


def has_permission(user: User | AnonymousUser, permission: Permission) -> bool:
    """Whether one of the user's roles grants the permission, and the token if they use one."""
    token_permissions: frozenset[Permission] | None = user.__dict__.get(TOKEN_PERMISSIONS)
    if token_permissions is not None and permission not in token_permissions:
        return False
    if not roles(user) & ROLE_PERMISSIONS[permission]:
        return False
    return permission not in NEVER_WITH_SCOPE or data_scope(user) is None  # type: ignore[arg-type]  # a user with a role is no anonymous one


def limit_to_token(user: User, permissions: frozenset[Permission], name: str) -> User:
    """Limit this user object to what their API token grants; audit entries name the token."""
    user.__dict__[TOKEN_PERMISSIONS] = permissions
    user.__dict__[API_TOKEN_NAME] = name
    return user


def granted_permissions(user: User | AnonymousUser) -> frozenset[Permission]:
    """Every permission that the user's roles grant."""
    return frozenset(p for p in Permission if has_permission(user, p))


def signed_in_user(request: HttpRequest) -> User:
    """The user of a request that a permission protects."""
    assert isinstance(request.user, User)
    return request.user


def require_permission(
    permission: Permission,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Require sign-in and this permission; raises PermissionDenied (403) without it.

    The view's attribute `required_permissions` names all that protect it (`page_access.py`).
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not has_permission(request.user, permission):
                raise PermissionDenied(permission.value)
            answer: HttpResponseBase = view(request, *args, **kwargs)
            return answer

        inner = required_permissions(view)
        setattr(guarded, REQUIRED_PERMISSIONS, frozenset({*inner, permission}))
        return login_required(guarded)

    return decorate


def required_permissions(view: Callable[..., Any]) -> frozenset[Permission]:
    """The permissions that `require_permission` asks for before it calls the view."""
    required: frozenset[Permission] = getattr(view, REQUIRED_PERMISSIONS, frozenset())
    return required
