"""API tokens: create, check, list and revoke them.

A token is `thr_`, a public name of 12 characters and a secret of 43 (256 random bits). Its digest
is stored, so that only the response to its creation contains it. A token calls the API as its
owner, with the permissions that it lists and its owner still has.
"""

import re
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.settings import SettingError
from visibility.models import ApiToken
from visibility.models.audit import append_audit_entry
from visibility.web.author import Author
from visibility.web.permissions import (
    Permission,
    granted_permissions,
    has_permission,
    limit_to_token,
)

TOKEN = re.compile(r"(thr_[A-Za-z0-9_-]{12})([A-Za-z0-9_-]{43})")
MIN_DAYS, DEFAULT_DAYS, MAX_DAYS = 1, 90, 366
MAX_TITLE_LENGTH = 80
# Valid tokens of one person.
MAX_TOKENS = 50
PAGE_SIZE = 50
# The time of the last use is written at most so often.
USE_INTERVAL = timedelta(minutes=1)


class InvalidApiToken(ValueError):
    """The token cannot be created; each error has the name of its field."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        super().__init__(" ".join(error.sentence for error in errors))
        self.errors = tuple(errors)


def create_api_token(
    title: str,
    permissions: Collection[str],
    *,
    days: int,
    by: Author,
    service_owner: User | None = None,
) -> tuple[ApiToken, str]:
    """Create a token, and return it with its text, which is stored nowhere.

    `service_owner`: an administrator creates a service token, for which this person answers.
    Raises InvalidApiToken.
    """
    owner = service_owner or by.user
    with transaction.atomic():
        # Two requests at the same time must not exceed the limit.
        User.objects.select_for_update(no_key=True).get(pk=owner.pk)
        if errors := _token_errors(title, permissions, days=days, owner=owner, by=by):
            raise InvalidApiToken(errors)
        secret = secrets.token_urlsafe(32)
        token = ApiToken(
            title=title.strip(),
            prefix="thr_" + secrets.token_urlsafe(9),
            owner=owner,
            is_service=service_owner is not None,
            permissions=sorted(set(permissions)),
            created_by=by.user,
            created_at=by.now,
            expires_at=by.now + timedelta(days=days),
        )
        token.seal(secret)
        token.save(force_insert=True)
        _audit("api_token.created", token, by)
    return token, token.prefix + secret


def _token_errors(
    title: str, permissions: Collection[str], *, days: int, owner: User, by: Author
) -> list[SettingError]:
    errors = []
    if not title.strip() or len(title.strip()) > MAX_TITLE_LENGTH:
        sentence = (
            f"Name the program that uses the token, in at most {MAX_TITLE_LENGTH} characters."
        )
        errors.append(SettingError("title", sentence))
    granted = {p.value for p in granted_permissions(owner)}
    if not permissions:
        errors.append(SettingError("permissions", "Choose at least one permission."))
    elif missing := sorted(set(permissions) - granted):
        sentence = f"{owner.get_username()} does not have the permission {missing[0][:40]}."
        errors.append(SettingError("permissions", sentence))
    if not MIN_DAYS <= days <= MAX_DAYS:
        errors.append(SettingError("days", f"A token is valid for {MIN_DAYS} to {MAX_DAYS} days."))
    valid = ApiToken.objects.filter(owner=owner, revoked_at=None, expires_at__gt=by.now)
    if valid.count() >= MAX_TOKENS:
        sentence = f"{owner.get_username()} has {MAX_TOKENS} valid tokens. Revoke one first."
        errors.append(SettingError("title", sentence))
    if owner.pk != by.user.pk and not has_permission(by.user, Permission.ADMINISTER):
        errors.append(SettingError("owner", "Only administrators create tokens for others."))
    return errors


def revoke_api_token(number: int, *, by: Author) -> ApiToken | None:
    """Revoke a token; None if there is none, or it is not the user's.

    An administrator revokes any token. A revoked token stays as it is.
    """
    with transaction.atomic():
        rows = _tokens_visible_to(by.user).select_for_update(of=("self",))
        token = rows.filter(pk=number).first()
        if token is not None and token.revoked_at is None:
            token.revoked_at = by.now
            token.save(update_fields=["revoked_at"])
            _audit("api_token.revoked", token, by)
    return token


def list_api_tokens(
    user: User, *, before: int | None = None, limit: int = PAGE_SIZE
) -> list[ApiToken]:
    """The tokens that the user may revoke, the newest first."""
    rows = _tokens_visible_to(user).select_related("owner", "created_by")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.order_by("-pk")[:limit])


def find_token_user(text: str, now: datetime) -> tuple[User, ApiToken] | None:
    """The owner of a valid token, limited to what it grants. Records the use, once a minute."""
    match = TOKEN.fullmatch(text)
    if match is None:
        return None
    token = ApiToken.objects.select_related("owner").filter(prefix=match[1]).first()
    if token is None or not token.has_secret(match[2]):
        return None
    if not token.is_valid_at(now) or not token.owner.is_active:
        return None
    _seal_with_newest_key(token, match[2])
    if token.last_used_at is None or now - token.last_used_at > USE_INTERVAL:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    known = frozenset(Permission(code) for code in token.permissions if code in set(Permission))
    return limit_to_token(token.owner, known, token.prefix), token


def still_grants(token: ApiToken, permissions: Collection[Permission], now: datetime) -> bool:
    """Whether a token that was accepted a moment ago is valid, and its owner has these."""
    row = ApiToken.objects.select_related("owner").filter(pk=token.pk).first()
    if row is None or not row.is_valid_at(now) or not row.owner.is_active:
        return False
    return all(has_permission(row.owner, permission) for permission in permissions)


def _tokens_visible_to(user: User) -> QuerySet[ApiToken]:
    if has_permission(user, Permission.ADMINISTER):
        return ApiToken.objects.all()
    return ApiToken.objects.filter(Q(owner=user) | Q(created_by=user))


def _seal_with_newest_key(token: ApiToken, secret: str) -> None:
    """Renew the digests of a token of an older release or an older SECRET_KEY."""
    before = (token.digest, token.secret_digest)
    token.seal(secret)
    if (token.digest, token.secret_digest) != before:
        ApiToken.objects.filter(pk=token.pk, digest=before[0]).update(
            digest=token.digest, secret_digest=token.secret_digest
        )


def _audit(action: str, token: ApiToken, by: Author) -> None:
    append_audit_entry(
        action,
        user=by.user,
        object=f"API token {token.pk}",
        detail={
            "title": token.title,
            "prefix": token.prefix,
            "owner": token.owner.get_username(),
            "permissions": token.permissions,
            "expires": format_rfc3339(token.expires_at),
        },
        now=by.now,
    )
