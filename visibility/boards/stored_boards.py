"""The boards in the database, who sees each, and the built-in operations board."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q

from visibility.models import Board, BoardSharing, StartBoard
from visibility.models.teams import Team
from visibility.screens.orders.order_scope import ALL_ORDERS, OrderScope

OPERATIONS = "operations"
OPERATIONS_TITLE = "Operations"
MAX_BOARDS = 100
# The tiles of the operations board unless a `Board` row replaces them.
DEFAULT_TILES: tuple[Mapping[str, Any], ...] = (
    {"tile": "key_figures", "width": 4},
    {"tile": "order_funnel", "width": 4},
    {"tile": "cut_offs", "width": 2},
    {"tile": "top_alerts", "width": 2},
    {"tile": "source_health", "width": 1},
    {"tile": "notable_events", "width": 2},
    {"tile": "message_rate", "width": 1},
)


@dataclass(frozen=True, slots=True)
class StoredBoard:
    """A board without the data of its tiles. `version` 0: the built-in tiles, no row."""

    slug: str
    title: str
    entries: Sequence[Mapping[str, Any]]
    scope: OrderScope = ALL_ORDERS
    sharing: str = BoardSharing.ALL.value
    owner: User | None = None
    team: Team | None = None
    version: int = 0

    @property
    def is_built_in(self) -> bool:
        """Whether it is the operations board, which always exists."""
        return self.slug == OPERATIONS

    @property
    def shared_with(self) -> str:
        """Who sees it: `Everyone`, `Warehouse team`, `Only you`."""
        if self.sharing == BoardSharing.TEAM:
            return f"Team {self.team}"
        return "Everyone" if self.sharing == BoardSharing.ALL else "Only you"


def visible_boards_condition(user_id: int) -> Q:
    """The condition for boards that a user sees."""
    teams = Team.objects.filter(members=user_id)
    return (
        Q(sharing=BoardSharing.ALL)
        | Q(owner=user_id)
        | Q(sharing=BoardSharing.TEAM, team__in=teams)
    )


def load_stored_board(slug: str, *, user_id: int) -> StoredBoard | None:
    """The board, or None if it does not exist or the user may not see it."""
    row = Board.objects.select_related("owner", "team").filter(slug=slug).first()
    if row is None:
        built_in = StoredBoard(OPERATIONS, OPERATIONS_TITLE, DEFAULT_TILES)
        return built_in if slug == OPERATIONS else None
    if (
        row.sharing != BoardSharing.ALL
        and not Board.objects.filter(visible_boards_condition(user_id), pk=row.pk).exists()
    ):
        return None
    filters = row.filters if isinstance(row.filters, Mapping) else {}
    return StoredBoard(
        slug=row.slug,
        title=row.title,
        entries=_entries_invalid_as_missing(row.tiles),
        scope=OrderScope.from_query(filters),
        sharing=row.sharing,
        owner=row.owner,
        team=row.team,
        version=row.version,
    )


def _entries_invalid_as_missing(stored: object) -> list[Mapping[str, Any]]:
    """The entries of a stored board. One that is no object is shown as a missing tile."""
    entries = stored if isinstance(stored, Sequence) and not isinstance(stored, str) else ()
    return [entry if isinstance(entry, Mapping) else {"tile": str(entry)} for entry in entries]


def board_titles_by_slug(user_id: int) -> dict[str, str]:
    """The title of each board that the user sees, by slug; the operations board comes first."""
    rows = Board.objects.filter(visible_boards_condition(user_id)).order_by("title", "slug")
    return {OPERATIONS: OPERATIONS_TITLE} | dict(rows.values_list("slug", "title")[:MAX_BOARDS])


def start_board_slug(user_id: int) -> str:
    """The slug of the board that the user starts on; empty if none is set or it is gone."""
    slug = StartBoard.objects.filter(user=user_id).values_list("slug", flat=True).first() or ""
    return slug if slug and load_stored_board(slug, user_id=user_id) else ""
