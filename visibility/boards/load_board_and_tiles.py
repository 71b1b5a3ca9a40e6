"""Load a board with the data of its tiles. A tile that fails does not affect the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from structlog.stdlib import get_logger

from visibility.boards.tile import InvalidTileSetting, Tile
from visibility.boards.tile_registry import tile_registry
from visibility.models import Board

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

    `problem`: which setting of the tile is invalid, and why.
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


@dataclass(frozen=True, slots=True)
class LoadedBoard:
    """A board with its loaded tiles."""

    slug: str
    title: str
    tiles: Sequence[LoadedTile]


def load_board(slug: str, *, now: datetime) -> LoadedBoard | None:
    """The board with the data of all its tiles, or None if it does not exist."""
    stored = Board.objects.filter(slug=slug).first()
    if stored is None and slug != OPERATIONS:
        return None
    wanted = stored.tiles if stored else DEFAULT_TILES
    return LoadedBoard(
        slug=slug,
        title=stored.title if stored else "Operations",
        tiles=[load_tile(entry, now=now) for entry in _tile_entries_invalid_as_missing(wanted)],
    )


def _tile_entries_invalid_as_missing(stored: object) -> list[Mapping[str, Any]]:
    """The entries of a stored board. One that is no object is shown as a missing tile."""
    entries = stored if isinstance(stored, Sequence) and not isinstance(stored, str) else ()
    return [entry if isinstance(entry, Mapping) else {"tile": str(entry)} for entry in entries]


def board_titles() -> dict[str, str]:
    """The title of each board by slug. The operations board always exists."""
    stored = dict(Board.objects.order_by("title").values_list("slug", "title")[:100])
    return {OPERATIONS: "Operations"} | stored


def load_tile(entry: Mapping[str, Any], *, now: datetime) -> LoadedTile:
    """Load one tile. An unknown or failing tile is returned with `failed` set."""
    code = str(entry.get("tile", ""))
    kind = tile_registry().get(code)
    if kind is None:
        return LoadedTile(code=code, title=code, width=1, failed=True)
    shown = LoadedTile(
        code=code,
        title=kind.title,
        width=_tile_columns_clamped_1_to_4(entry.get("width"), kind.width),
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
