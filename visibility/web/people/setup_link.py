"""The link that creates the first administrator: create, find, and whether it is still needed.

The address is `/setup/<name><seal>`: the seal is a keyed hash of the row. A new link replaces the
one before, and all end when an administrator exists.
"""

import secrets
from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from connectors.sdk.event_codec import format_rfc3339
from visibility.db.derived_keys import KeyPurpose
from visibility.db.keyed_seal import is_valid_seal, seal_text
from visibility.db.lock_keys import LockKey, lock_until_commit
from visibility.models import SetupLink
from visibility.web.permissions import UserRole

PURPOSE = KeyPurpose.SETUP_LINK
NAME_LENGTH, SEAL_LENGTH = 16, 40
NEVER = datetime.min.replace(tzinfo=UTC)


def administrator_exists() -> bool:
    """Whether anybody can administer the installation."""
    is_administrator = Q(is_superuser=True) | Q(groups__name=UserRole.ADMIN.value)
    return User.objects.filter(is_administrator, is_active=True).exists()


def create_setup_link(now: datetime) -> str | None:
    """Replace the link, and return its path; None if an administrator exists."""
    with transaction.atomic():
        lock_set_up()
        if administrator_exists():
            return None
        name = secrets.token_urlsafe(NAME_LENGTH * 3 // 4)
        link, _ = SetupLink.objects.update_or_create(
            id=1, defaults={"name": name, "created_at": now}
        )
        return f"/setup/{link.name}{seal_text(_sealed_text(link), purpose=PURPOSE)[:SEAL_LENGTH]}"


def is_valid_setup_link(token: str) -> bool:
    """Whether this is the token of the latest link, and no administrator exists."""
    link = SetupLink.objects.first()
    # Without a link, the same is computed for a name that nobody knows.
    expected = link or SetupLink(name=secrets.token_urlsafe(NAME_LENGTH), created_at=NEVER)
    name, seal = token[: len(expected.name)], token[len(expected.name) :]
    is_sealed = is_valid_seal(seal, _sealed_text(expected), purpose=PURPOSE, length=SEAL_LENGTH)
    return is_sealed and name == expected.name and link is not None and not administrator_exists()


def lock_set_up() -> None:
    """Until the end of the transaction, nobody else creates a link or the first administrator."""
    lock_until_commit(LockKey.ORGANIZATION)


def end_setup_link() -> None:
    """Forget the link: it was used."""
    SetupLink.objects.all().delete()


def _sealed_text(link: SetupLink) -> str:
    return f"{link.name}\0{format_rfc3339(link.created_at)}"
