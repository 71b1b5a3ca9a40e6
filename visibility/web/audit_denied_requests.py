"""Record requests of signed-in users that are answered with 403 in the audit log."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse

from visibility.db.database_time import database_now
from visibility.models import AuditEntry
from visibility.models.audit import append_audit_entry
from visibility.web.database_unavailable import unavailable_response

DENIED = "denied"
# Entries of one user per minute. The last one says that later requests are not recorded.
MAX_ENTRIES = 20
ENTRY_PERIOD = timedelta(minutes=1)
IS_RECORDED = "throughline.denial_is_recorded"


class AuditDeniedRequestsMiddleware:
    """Records every 403, whether a permission or the CSRF token is missing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code != 403 or request.META.get(IS_RECORDED):
            return response
        return _record_or_answer_unavailable(request) or response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Record the permission that is missing, which the response does not tell."""
        if not isinstance(error, PermissionDenied):
            return None
        return _record_or_answer_unavailable(request, [str(error)])


def _record_or_answer_unavailable(
    request: HttpRequest, permissions: Sequence[str] = ()
) -> HttpResponse | None:
    """Return the 503 response if the database cannot store the entry."""
    try:
        record_denied_request(request, permissions)
    except (OperationalError, InterfaceError) as error:
        return unavailable_response(request, error)
    return None


def record_denied_request(
    request: HttpRequest, permissions: Sequence[str] = (), *, token_user: User | None = None
) -> None:
    """Append an audit entry, if the user is signed in and does not exceed `MAX_ENTRIES`.

    `token_user`: the owner of the API token of the request.
    """
    request.META[IS_RECORDED] = True
    # The user of the session: without a CSRF token, REST framework replaces `request.user`.
    user, now = token_user or get_user(request), database_now()
    if not isinstance(user, User):
        return
    recent = AuditEntry.objects.filter(user=user, action=DENIED, at__gt=now - ENTRY_PERIOD)
    count = recent.count()
    if count >= MAX_ENTRIES:
        return
    detail: dict[str, object] = {"method": request.method or "", "permissions": [*permissions]}
    if count == MAX_ENTRIES - 1:
        detail["more"] = "further requests of this minute are not recorded"
    append_audit_entry(DENIED, user=user, object=request.path[:200], detail=detail, now=now)
