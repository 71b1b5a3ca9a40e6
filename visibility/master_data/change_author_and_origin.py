"""The context of a change of master data: the user, the origin and the time."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class ChangeContext:
    """The user, origin and time of a change."""

    user: User | None
    origin: str
    now: datetime
