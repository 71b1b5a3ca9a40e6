"""Links that show boards on a wall screen without sign-in: create, check, list and revoke them.

The address is `/screens/<id>-<seal>`; the seal is a keyed hash of the row. Unknown, expired and
revoked links look alike.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.settings import SettingError
from visibility.boards.stored_boards import load_stored_board
from visibility.db.derived_keys import KeyPurpose
from visibility.db.keyed_seal import is_valid_seal, seal_text
from visibility.models import Board, ScreenLink
from visibility.models.audit import append_audit_entry
from visibility.web.author import Author
from visibility.web.board_changes import (
    InvalidBoard,
)
from visibility.web.permissions import Permission, has_permission

PURPOSE = KeyPurpose.SCREEN_LINK
TOKEN = re.compile(r"(\d{1,18})-([0-9a-f]{64})")
MIN_DAYS, DEFAULT_DAYS, MAX_DAYS = 1, 90, 366
# Seconds per board in a rotation.
MIN_SECONDS, DEFAULT_SECONDS, MAX_SECONDS = 10, 30, 3600
MAX_LISTED = 200
# What a screen without sign-in shows: no prices and no personal data.
SCREEN_PERMISSIONS = frozenset(
    {Permission.BOARDS, Permission.ORDERS, Permission.ALERTS_SEE, Permission.KPIS}
)
# The time of the last use is written at most so often.
USE_INTERVAL = timedelta(minutes=5)


def create_screen_link(
    title: str, slugs: Sequence[str], *, days: int, every: int, by: Author
) -> ScreenLink:
    """Create a link to boards that the user sees. Raises InvalidBoard."""
    with transaction.atomic():
        # A board that is deleted or made private meanwhile is taken out of the new link as well.
        list(Board.objects.select_for_update().filter(slug__in=slugs).order_by("pk"))
        errors = _link_errors(title, slugs, days=days, every=every, by=by)
        if errors:
            raise InvalidBoard(errors)
        link = ScreenLink.objects.create(
            title=title.strip(),
            boards=[*slugs],
            every=every,
            created_by=by.user,
            created_at=by.now,
            expires_at=by.now + timedelta(days=days),
        )
        _audit("screen_link.created", link, by)
    return link


def _link_errors(
    title: str, slugs: Sequence[str], *, days: int, every: int, by: Author
) -> list[SettingError]:
    errors = []
    if not title.strip() or len(title) > 120:
        errors.append(SettingError("title", "Say where the screen is, in at most 120 characters."))
    if not slugs or len(slugs) > 20:
        errors.append(SettingError("boards", "Choose 1 to 20 boards."))
    elif any(load_stored_board(slug, user_id=by.user.pk) is None for slug in slugs):
        errors.append(SettingError("boards", "There is no such board."))
    if not MIN_DAYS <= days <= MAX_DAYS:
        errors.append(SettingError("days", f"A link is valid for {MIN_DAYS} to {MAX_DAYS} days."))
    if not MIN_SECONDS <= every <= MAX_SECONDS:
        sentence = f"Each board is shown for {MIN_SECONDS} to {MAX_SECONDS} seconds."
        errors.append(SettingError("every", sentence))
    return errors


def revoke_screen_link(number: int, *, by: Author) -> ScreenLink | None:
    """Revoke a link; None if there is none. A link that is revoked already stays as it is."""
    with transaction.atomic():
        link = ScreenLink.objects.select_for_update().filter(pk=number).first()
        if link is not None and link.revoked_at is None:
            link.revoked_at = by.now
            link.save(update_fields=["revoked_at"])
            _audit("screen_link.revoked", link, by)
    return link


def list_screen_links() -> list[ScreenLink]:
    """The links, the newest first."""
    return list(
        ScreenLink.objects.select_related("created_by").order_by("-created_at")[:MAX_LISTED]
    )


def screen_link_path(link: ScreenLink) -> str:
    """The address of a link."""
    return f"/screens/{link.pk}-{seal_text(_sealed_text(link), purpose=PURPOSE)}"


def find_valid_link(token: str, now: datetime) -> ScreenLink | None:
    """The link of an address, if it is valid now; the time of its use is recorded.

    It is valid only while its creator is active and may create links.
    """
    match = TOKEN.fullmatch(token)
    rows = ScreenLink.objects.select_related("created_by")
    link = rows.filter(pk=int(match[1])).first() if match else None
    if match is None or link is None:
        return None
    if not is_valid_seal(match[2], _sealed_text(link), purpose=PURPOSE):
        return None
    if not link.is_valid_at(now) or not has_permission(link.created_by, Permission.BOARDS_EDIT):
        return None
    if link.last_used_at is None or now - link.last_used_at > USE_INTERVAL:
        ScreenLink.objects.filter(pk=link.pk).update(last_used_at=now)
    return link


def _sealed_text(link: ScreenLink) -> str:
    return f"{link.pk} {format_rfc3339(link.created_at)} {format_rfc3339(link.expires_at)}"


def _audit(action: str, link: ScreenLink, by: Author) -> None:
    append_audit_entry(
        action,
        user=by.user,
        object=f"screen link {link.pk}",
        detail={
            "title": link.title,
            "boards": link.boards,
            "expires": format_rfc3339(link.expires_at),
        },
        now=by.now,
    )
