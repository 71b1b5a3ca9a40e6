"""Who changes something, and when, for checks and audit entries."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.http import HttpRequest

from visibility.db.database_time import database_now
from visibility.web.permissions import signed_in_user


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, and when."""

    user: User
    now: datetime


def author_of(request: HttpRequest) -> Author:
    """The signed-in user, now. One statement."""
    return Author(signed_in_user(request), database_now())
