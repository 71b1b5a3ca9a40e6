"""Who may do what: the matrix, and how a view asks for it."""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase


class Role(StrEnum):
    """A person's role is the name of their group."""

    CUSTOMER_SERVICE = "customer_service"
    EXECUTIVE = "executive"
    OPERATIONS = "operations"
    INTEGRATOR = "integrator"
    ADMIN = "admin"


class Right(StrEnum):
    """Something a person may do."""

    ORDERS = "orders"  # find and open orders
    CONTACTS = "contacts"
    PRICES = "prices"
    BOARDS = "boards"
    NUMBERS = "numbers"
    ALERTS_SEE = "alerts_see"
    ALERTS_NOTE = "alerts_note"
    ALERTS_ACT = "alerts_act"  # acknowledge, snooze, assign
    ALERTS_RESOLVE = "alerts_resolve"
    EXPORT = "export"  # the event log as a file
    RAW = "raw"  # message bodies, audited
    SOURCES_SEE = "sources_see"
    SOURCES_EDIT = "sources_edit"
    PARKED_SEE = "parked_see"
    PARKED_REPLAY = "parked_replay"
    JOINS_SEE = "joins_see"
    JOINS = "joins"  # join, split, tell apart, undo
    MAPPINGS_SEE = "mappings_see"
    MAPPINGS_EDIT = "mappings_edit"
    ADMINISTER = "administer"


CS, EX, OP, IN, AD = (
    Role.CUSTOMER_SERVICE,
    Role.EXECUTIVE,
    Role.OPERATIONS,
    Role.INTEGRATOR,
    Role.ADMIN,
)
MATRIX: dict[Right, frozenset[Role]] = {
    Right.ORDERS: frozenset({CS, EX, OP, IN, AD}),
    Right.CONTACTS: frozenset({CS, OP, AD}),
    Right.PRICES: frozenset({CS, EX, OP, AD}),
    Right.BOARDS: frozenset({CS, EX, OP, IN, AD}),
    Right.NUMBERS: frozenset({EX, OP, AD}),
    Right.ALERTS_SEE: frozenset({CS, EX, OP, IN, AD}),
    Right.ALERTS_NOTE: frozenset({CS, OP, IN, AD}),
    Right.ALERTS_ACT: frozenset({OP, AD}),
    Right.ALERTS_RESOLVE: frozenset({OP, AD}),
    Right.EXPORT: frozenset({OP, IN, AD}),
    Right.RAW: frozenset({IN, AD}),
    Right.SOURCES_SEE: frozenset({OP, IN, AD}),
    Right.SOURCES_EDIT: frozenset({IN, AD}),
    Right.PARKED_SEE: frozenset({OP, IN, AD}),
    Right.PARKED_REPLAY: frozenset({IN, AD}),
    Right.JOINS_SEE: frozenset({CS, OP, IN, AD}),
    Right.JOINS: frozenset({OP, IN, AD}),
    Right.MAPPINGS_SEE: frozenset({OP, IN, AD}),
    Right.MAPPINGS_EDIT: frozenset({IN, AD}),
    Right.ADMINISTER: frozenset({AD}),
}
START = {CS: "/orders", EX: "/numbers", OP: "/alerts", IN: "/sources", AD: "/boards/operations"}


def roles(user: User | AnonymousUser) -> frozenset[Role]:
    """The roles of a person; a superuser is an administrator."""
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    names: set[str] | None = user.__dict__.get("_role_names")
    if names is None:
        names = set(user.groups.values_list("name", flat=True))
        user.__dict__["_role_names"] = names  # kept for the rest of the request
    found = {Role(name) for name in names if name in set(Role)}
    return frozenset(found | ({AD} if user.is_superuser else set()))


def may(user: User | AnonymousUser, right: Right) -> bool:
    """Whether the person has the right now."""
    return bool(roles(user) & MATRIX[right])


def needs(right: Right) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A view for signed-in people with the right; others are asked to sign in, or get 403."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not may(request.user, right):
                raise PermissionDenied(right.value)
            answer: HttpResponseBase = view(request, *args, **kwargs)
            return answer

        return login_required(guarded)

    return decorate
