"""Change boards: arrange tiles, limit, rename, share, duplicate, delete, and start on one.

Each change is checked, stored and audited in one transaction, for the pages and the API alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from connectors.sdk.settings import SettingError
from visibility.boards.check_tiles import MAX_TILES, tile_errors
from visibility.boards.load_board_and_tiles import COLUMNS, tile_columns
from visibility.boards.screen_links_of_boards import remove_board_from_screen_links
from visibility.boards.stored_boards import (
    OPERATIONS,
    StoredBoard,
    load_stored_board,
)
from visibility.models import Board, BoardSharing, StartBoard
from visibility.models.audit import append_audit_entry
from visibility.models.teams import Team
from visibility.web.author import Author

MAX_TITLE_LENGTH = 120


class InvalidBoard(ValueError):
    """A board cannot be saved like this; each error has the name of its field."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        super().__init__(" ".join(error.sentence for error in errors))
        self.errors = tuple(errors)


class BoardChanged(Exception):
    """Someone else has changed the board since it was read."""


class UnknownBoard(Exception):
    """There is no such board, or the user may not see it."""


def change_board(
    slug: str,
    change: Callable[[StoredBoard], StoredBoard],
    *,
    by: Author,
    version: int | None = None,
    action: str = "board.saved",
) -> StoredBoard:
    """Replace a board by what `change` makes of it.

    Raises UnknownBoard, InvalidBoard, and BoardChanged if it no longer has this version.
    """
    with transaction.atomic():
        Board.objects.select_for_update().filter(slug=slug).first()
        before = load_stored_board(slug, user_id=by.user.pk)
        if before is None:
            raise UnknownBoard(slug)
        if version is not None and version != before.version:
            raise BoardChanged(slug)
        after = change(before)
        if after == before:
            return before
        return _save(after, by=by, action=action, before=before)


def create_board(board: StoredBoard, *, by: Author, action: str = "board.saved") -> StoredBoard:
    """Store a new board. Raises InvalidBoard; the address must be free."""
    with transaction.atomic():
        if Board.objects.filter(slug=board.slug).exists():
            raise _address_taken()
        return _save(board, by=by, action=action, before=None)


def duplicate_board(slug: str, title: str, *, by: Author) -> StoredBoard:
    """Copy a board to a new one that only the user sees. Raises UnknownBoard and InvalidBoard."""
    source = load_stored_board(slug, user_id=by.user.pk)
    if source is None:
        raise UnknownBoard(slug)
    copy = replace(
        source,
        slug=free_slug(title),
        title=title,
        sharing=BoardSharing.OWN.value,
        owner=by.user,
        team=None,
        version=0,
    )
    return create_board(copy, by=by, action="board.duplicated")


def delete_board(slug: str, *, by: Author) -> None:
    """Delete a board. The operations board keeps its row removed: it shows its usual tiles.

    Raises UnknownBoard.
    """
    with transaction.atomic():
        board = load_stored_board(slug, user_id=by.user.pk)
        if board is None:
            raise UnknownBoard(slug)
        Board.objects.filter(slug=slug).delete()
        if not board.is_built_in:
            StartBoard.objects.filter(slug=slug).delete()
            remove_board_from_screen_links(slug, user=by.user, now=by.now)
        append_audit_entry(
            "board.restored" if board.is_built_in else "board.deleted",
            user=by.user,
            object=f"board {slug}",
            detail={"title": board.title, "tiles": [str(e.get("tile", "")) for e in board.entries]},
            now=by.now,
        )


def set_start_board(slug: str, *, by: Author) -> None:
    """Start on this board after sign-in; empty: on the page of the role. Raises UnknownBoard."""
    if slug and load_stored_board(slug, user_id=by.user.pk) is None:
        raise UnknownBoard(slug)
    with transaction.atomic():
        if slug:
            StartBoard.objects.update_or_create(user=by.user, defaults={"slug": slug})
        else:
            StartBoard.objects.filter(user=by.user).delete()
        append_audit_entry(
            "start_page.changed",
            user=by.user,
            object=by.user.get_username(),
            detail={"board": slug},
            now=by.now,
        )


def free_slug(title: str) -> str:
    """An address made of the title that no board has yet."""
    base = slugify(title)[:40] or "board"
    taken = {
        OPERATIONS,
        *Board.objects.filter(slug__startswith=base).values_list("slug", flat=True),
    }
    numbers = (f"{base}-{number}" for number in range(2, len(taken) + 3))
    return base if base not in taken else next(slug for slug in numbers if slug not in taken)


def add_tile(board: StoredBoard, code: str) -> StoredBoard:
    """Add a tile at the end."""
    return replace(board, entries=[*board.entries, {"tile": code}])


def remove_tile(board: StoredBoard, index: int) -> StoredBoard:
    """Remove a tile."""
    return replace(board, entries=[e for n, e in enumerate(board.entries) if n != index])


def move_tile(board: StoredBoard, index: int, step: int) -> StoredBoard:
    """Move a tile up (-1) or down (1); at the end of the board it stays."""
    entries, target = list(board.entries), index + step
    if 0 <= index < len(entries) and 0 <= target < len(entries):
        entries[index], entries[target] = entries[target], entries[index]
    return replace(board, entries=entries)


def resize_tile(board: StoredBoard, index: int, step: int) -> StoredBoard:
    """Make a tile one column wider (1) or narrower (-1), between one and four."""
    entries = list(board.entries)
    if 0 <= index < len(entries):
        width = min(max(tile_columns(entries[index]) + step, 1), COLUMNS)
        entries[index] = {**entries[index], "width": width}
    return replace(board, entries=entries)


def with_sharing(board: StoredBoard, sharing: str, team_slug: str, *, user: User) -> StoredBoard:
    """Share a board. Raises InvalidBoard for an unknown audience or team, or without the user."""
    if sharing not in set(BoardSharing):
        raise InvalidBoard([SettingError("sharing", "Choose own, team or all.")])
    may_leave_out = board.owner is None or board.owner == user
    if sharing == BoardSharing.OWN and not may_leave_out:
        sentence = "Only its owner can keep this board private. Duplicate it to have your own."
        raise InvalidBoard([SettingError("sharing", sentence)])
    if sharing != BoardSharing.TEAM:
        owner = board.owner or (user if sharing == BoardSharing.OWN else None)
        return replace(board, sharing=sharing, team=None, owner=owner)
    team = Team.objects.filter(slug=team_slug).first()
    if team is None:
        raise InvalidBoard([SettingError("team", "Choose the team that sees the board.")])
    if not may_leave_out and not team.members.filter(pk=user.pk).exists():
        sentence = (
            "Choose a team that you are in: the board of a colleague would be hidden from you."
        )
        raise InvalidBoard([SettingError("team", sentence)])
    return replace(board, sharing=sharing, team=team, owner=board.owner or user)


def _save(
    board: StoredBoard, *, by: Author, action: str, before: StoredBoard | None
) -> StoredBoard:
    errors = _board_errors(board, before)
    if errors:
        raise InvalidBoard(errors)
    values: dict[str, Any] = {
        "title": board.title,
        "tiles": [dict(entry) for entry in board.entries],
        "filters": board.scope.values,
        "owner": board.owner,
        "sharing": board.sharing,
        "team": board.team,
        "version": board.version + 1,
    }
    _write(board, values, is_new=before is None)
    if before is not None and _is_seen_by_fewer(board, before):
        remove_board_from_screen_links(board.slug, user=by.user, now=by.now)
    append_audit_entry(
        action,
        user=by.user,
        object=f"board {board.slug}",
        detail=_detail(board, before),
        now=by.now,
    )
    return replace(board, version=board.version + 1)


def _write(board: StoredBoard, values: Mapping[str, Any], *, is_new: bool) -> None:
    """Write the row only if nobody else has changed or created it since it was read."""
    if board.version:
        rows = Board.objects.filter(slug=board.slug, version=board.version)
        if not rows.update(**values):
            raise BoardChanged(board.slug)
        return
    try:
        with transaction.atomic():
            Board.objects.create(slug=board.slug, **values)
    except IntegrityError:
        raise (_address_taken() if is_new else BoardChanged(board.slug)) from None


def _address_taken() -> InvalidBoard:
    return InvalidBoard([SettingError("slug", "There is a board with this address already.")])


def _is_seen_by_fewer(board: StoredBoard, before: StoredBoard) -> bool:
    order = (BoardSharing.OWN, BoardSharing.TEAM, BoardSharing.ALL)
    return order.index(BoardSharing(board.sharing)) < order.index(BoardSharing(before.sharing))


def _board_errors(board: StoredBoard, before: StoredBoard | None) -> list[SettingError]:
    errors = []
    if not board.title.strip() or len(board.title) > MAX_TITLE_LENGTH:
        errors.append(SettingError("title", f"A title has 1 to {MAX_TITLE_LENGTH} characters."))
    if board.is_built_in and board.sharing != BoardSharing.ALL:
        sentence = "Everyone sees the operations board. Duplicate it to keep one for yourself."
        errors.append(SettingError("sharing", sentence))
    # A tile that is already wrong does not keep people from changing the others.
    if before is None or len(board.entries) >= len(before.entries):
        known = list(before.entries) if before else []
        new = [entry for entry in board.entries if entry not in known]
        has_grown = before is None or len(board.entries) > len(before.entries)
        # More of the same tiles are no new ones, but the number of tiles is limited all the same.
        if new or (has_grown and len(board.entries) > MAX_TILES):
            errors += tile_errors(list(board.entries))
    return errors


def _detail(board: StoredBoard, before: StoredBoard | None) -> Mapping[str, Any]:
    detail: dict[str, Any] = {"tiles": [str(entry.get("tile", "")) for entry in board.entries]}
    if before is None or board.title != before.title:
        detail["title"] = board.title
    if before is not None and board.scope != before.scope:
        detail["filters"] = board.scope.values
    if before is not None and (board.sharing, board.team) != (before.sharing, before.team):
        detail["sharing"] = board.sharing + (f" {board.team.slug}" if board.team else "")
    return detail
