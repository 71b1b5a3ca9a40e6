"""The sessions of people: list them, and end them everywhere within seconds."""

from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.http import HttpRequest


def record_session(request: HttpRequest) -> None:
    """Record the session of a request after its key changed; forget those that have ended."""
    UserSession.objects.purge_and_list(request.user)
    UserSession.objects.create_from_request(request)


def end_sessions(user: User, *, except_key: str = "") -> int:
    """Sign a user out everywhere, except in one session; return how many sessions ended."""
    rows = list(UserSession.objects.filter(user=user).exclude(session_key=except_key))
    for row in rows:
        row.end()
    return len(rows)
