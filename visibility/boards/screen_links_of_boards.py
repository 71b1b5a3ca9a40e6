"""Take boards out of the screen links that show them, when fewer people may see the board."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Q

from visibility.models import ScreenLink
from visibility.models.audit import append_audit_entry


def remove_board_from_screen_links(slug: str, *, user: User, now: datetime) -> None:
    """No link shows the board any more; a link without other boards is revoked.

    Call it in a transaction, after the change of the board.
    """
    valid = Q(revoked_at=None, expires_at__gt=now, boards__contains=[slug])
    for link in ScreenLink.objects.select_for_update().filter(valid).order_by("pk"):
        link.boards = [board for board in link.boards if board != slug]
        link.revoked_at = None if link.boards else now
        link.save(update_fields=["boards", "revoked_at"])
        append_audit_entry(
            "screen_link.changed" if link.boards else "screen_link.revoked",
            user=user,
            object=f"screen link {link.pk}",
            detail={"title": link.title, "boards": link.boards, "removed": slug},
            now=now,
        )
