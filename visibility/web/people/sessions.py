"""The sessions of people: record them, list them, and end them within seconds."""

from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest

from visibility.web.people.allauth_adapters import audit_account


def record_session(request: HttpRequest) -> None:
    """Record the session of a request after its key changed; forget those that have ended."""
    UserSession.objects.purge_and_list(request.user)
    UserSession.objects.create_from_request(request)


def list_sessions(user: User, *, before: int | None = None, limit: int) -> list[UserSession]:
    """The sessions of a user that have not ended, the newest first."""
    valid = Session.objects.filter(expire_date__gt=Now()).values("session_key")
    rows = UserSession.objects.filter(user=user, session_key__in=valid)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.order_by("-pk")[:limit])


def end_session(user: User, number: int) -> UserSession | None:
    """End one session of a user; None if there is none with this number."""
    with transaction.atomic():
        row = UserSession.objects.filter(user=user, pk=number).first()
        if row is None:
            return None
        Session.objects.filter(session_key=row.session_key).delete()
        UserSession.objects.filter(pk=number).delete()
        audit_account("session.ended", user, address=row.ip, browser=row.user_agent[:200])
    return row


def end_sessions(user: User, *, except_key: str = "") -> int:
    """Sign a user out everywhere, except in one session; return how many sessions ended.

    Sessions of earlier releases have no row of their own: all sessions are read.
    """
    keys = [
        session.session_key
        for session in Session.objects.filter(expire_date__gt=Now()).iterator(chunk_size=500)
        if session.session_key != except_key
        and session.get_decoded().get(SESSION_KEY) == str(user.pk)
    ]
    Session.objects.filter(session_key__in=keys).delete()
    UserSession.objects.filter(user=user).exclude(session_key=except_key).delete()
    return len(keys)
