"""Whether people need a second factor, and whether a session has one.

`REQUIRE_SECOND_FACTOR` turns the requirement on; an administrator can relax it. A session has a
second factor if its sign-in, or a later confirmation, used one. API tokens need none.
"""

from types import SimpleNamespace
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.http import HttpRequest

from visibility.models import SecuritySettings
from visibility.models.audit import append_audit_entry
from visibility.web.author import Author

# In `META` of the request that ends a sign-in: the identity provider asked for a second factor,
# and an administrator accepts that.
ACCEPTED_FROM_PROVIDER = "throughline.second_factor_accepted_from_provider"
FACTOR_TYPES = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class FixedByServer(Exception):
    """The settings of the server decide, not an administrator."""


def is_required() -> bool:
    """Whether sessions need a second factor."""
    if not settings.REQUIRE_SECOND_FACTOR:
        return False
    return not SecuritySettings.objects.filter(requires_second_factor=False).exists()


def is_fixed_by_server() -> bool:
    """Whether `REQUIRE_SECOND_FACTOR` is off, so that nothing can be decided in the browser."""
    return not settings.REQUIRE_SECOND_FACTOR


def change_requirement(required: bool, *, by: Author) -> None:
    """Require a second factor, or relax it. Raises FixedByServer."""
    if is_fixed_by_server():
        raise FixedByServer
    with transaction.atomic():
        before = is_required()
        SecuritySettings.objects.update_or_create(
            id=1,
            defaults={
                "requires_second_factor": required,
                "changed_by": by.user,
                "changed_at": by.now,
            },
        )
        if required != before:
            append_audit_entry(
                "security.second_factor_required" if required else "security.second_factor_relaxed",
                user=by.user,
                object="security",
                detail={"before": before, "after": required},
                now=by.now,
            )


def session_has_second_factor(user: User | AnonymousUser, session: Any) -> bool:
    """Whether a second factor was used, or set up, in this session."""
    records = get_authentication_records(SimpleNamespace(session=session), user)
    return any(record.get("method") == "mfa" for record in records)


def lacks_second_factor(user: User | AnonymousUser, session: Any) -> bool:
    """Whether the session of a signed-in user must not do anything yet."""
    return (
        settings.REQUIRE_SECOND_FACTOR
        and user.is_authenticated
        and not session_has_second_factor(user, session)
        and is_required()
    )


def has_second_factor(user: User | AnonymousUser) -> bool:
    """Whether the user has set up an authenticator app or a passkey."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=FACTOR_TYPES).exists())


def record_set_up(request: HttpRequest, user: User) -> None:
    """The session in which a second factor is set up has one."""
    newest = Authenticator.objects.filter(user=user, type__in=FACTOR_TYPES).latest("pk")
    record_authentication(request, user, "mfa", id=newest.pk, type=newest.type)


def may_remove(authenticator: Authenticator) -> bool:
    """Whether a second factor may be removed: where one is required, the last one stays."""
    others = Authenticator.objects.filter(user_id=authenticator.user_id, type__in=FACTOR_TYPES)
    return not is_required() or bool(others.exclude(pk=authenticator.pk).exists())
