"""Whether a user may open the page at a URL, so that nobody is shown a link to a refusal."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.models import AnonymousUser, User
from django.urls import Resolver404, resolve

from visibility.web.permissions import has_permission, required_permissions

# Attribute of a view: whether the user may see the record that the arguments of the URL name.
RECORD_CHECK = "may_see_record"
RecordCheck = Callable[..., bool]


def check_record(check: RecordCheck) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Name the check `(user, **arguments of the URL)` that decides about records of a view."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        setattr(view, RECORD_CHECK, check)
        return view

    return decorate


def may_open(user: User | AnonymousUser, url: str) -> bool:
    """Whether the user's roles allow the page at this URL of the product.

    True for other hosts, for a query or an anchor of the same page, and for pages that only
    require to be signed in. False for an unknown page.
    """
    target = urlsplit(url)
    if target.netloc or not target.path:
        return True
    try:
        match = resolve(target.path)
    except Resolver404:
        return False
    view = match.func
    if not all(has_permission(user, needed) for needed in required_permissions(view)):
        return False
    check: RecordCheck | None = getattr(view, RECORD_CHECK, None)
    return check is None or check(user, **match.kwargs)
