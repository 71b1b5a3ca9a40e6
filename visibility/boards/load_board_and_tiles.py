"""Load a board with the data of its tiles. A tile that fails does not affect the others."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from structlog.stdlib import get_logger

from visibility.boards.tile import Tile
from visibility.boards.tile_registry import tile_registry
from visibility.boards.tile_settings import InvalidTileSetting
from visibility.models import Board
from visibility.models.permission import Permission

log = get_logger(__name__)

OPERATIONS = "operations"
# The tiles of the operations board unless a `Board` row replaces them.
DEFAULT_TILES: tuple[Mapping[str, Any], ...] = (
    {"tile": "key_figures", "width": 4},
    {"tile": "order_funnel", "width": 4},
    {"tile": "top_alerts", "width": 2},
    {"tile": "notable_events", "width": 2},
    {"tile": "message_rate", "width": 2},
    {"tile": "source_health", "width": 2},
)


@dataclass(frozen=True, slots=True)
class LoadedTile:
    """A tile with its data. `failed`: its data could not be loaded, or the tile does not exist.

    `problem`: which settings of the tile are invalid, and why. `denied`: the user lacks its
    permission; then nothing of it was read.
    """

    code: str
    title: str
    width: int
    kinds: str = ""
    href: str = ""
    template: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    failed: bool = False
    problem: str = ""
    denied: bool = False


@dataclass(frozen=True, slots=True)
class LoadedBoard:
    """A board with its loaded tiles."""

    slug: str
    title: str
    tiles: Sequence[LoadedTile]


def load_board(
    slug: str, *, now: datetime, permissions: Collection[Permission]
) -> LoadedBoard | None:
    """The board with the data of its tiles for a user with these permissions, or None."""
    stored = load_board_title_and_tile_entries(slug)
    if stored is None:
        return None
    title, entries = stored
    tiles = [load_tile(entry, now=now, permissions=permissions) for entry in entries]
    return LoadedBoard(slug=slug, title=title, tiles=tiles)


def _tile_entries_invalid_as_missing(stored: object) -> list[Mapping[str, Any]]:
    """The entries of a stored board. One that is no object is shown as a missing tile."""
    entries = stored if isinstance(stored, Sequence) and not isinstance(stored, str) else ()
    return [entry if isinstance(entry, Mapping) else {"tile": str(entry)} for entry in entries]


def load_board_title_and_tile_entries(slug: str) -> tuple[str, list[Mapping[str, Any]]] | None:
    """The title and the entries of a board, or None if it does not exist."""
    stored = Board.objects.filter(slug=slug).first()
    if stored is None and slug != OPERATIONS:
        return None
    title = stored.title if stored else "Operations"
    return title, _tile_entries_invalid_as_missing(stored.tiles if stored else DEFAULT_TILES)


def load_board_titles_by_slug() -> dict[str, str]:
    """The title of each board by slug. The operations board always exists."""
    stored = dict(Board.objects.order_by("title").values_list("slug", "title")[:100])
    return {OPERATIONS: "Operations"} | stored


def load_tile(
    entry: Mapping[str, Any], *, now: datetime, permissions: Collection[Permission]
) -> LoadedTile:
    """Load one tile. An unknown or failing tile is returned with `failed` set."""
    code = str(entry.get("tile", ""))
    kind = tile_registry().get(code)
    if kind is None:
        return LoadedTile(code=code, title=code, width=1, failed=True)
    width = _tile_columns_clamped_1_to_4(entry.get("width"), kind.width)
    if kind.permission not in permissions:
        return LoadedTile(code=code, title=kind.title, width=width, denied=True)
    shown = LoadedTile(
        code=code,
        title=kind.title,
        width=width,
        kinds=" ".join(kind.kinds),
        href=kind.href,
    )
    try:
        tile: Tile = kind(entry)
        shown = replace(shown, title=tile.displayed_title, href=tile.displayed_href)
        return replace(shown, template=tile.template_path, data=tile.load_context(now))
    except InvalidTileSetting as error:
        return replace(shown, problem=str(error))
    except Exception:  # shown on the tile; the others go on
        log.exception("tile_failed", tile=code)
        return replace(shown, failed=True)


def _tile_columns_clamped_1_to_4(configured: object, default: int) -> int:
    """The configured width, clamped to 1-4 columns, or the default of the tile."""
    return min(max(configured, 1), 4) if isinstance(configured, int) else default
