"""Load the data of a board's tiles. A tile that fails does not affect the others."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from structlog.stdlib import get_logger

from visibility.boards.board_scope import BoardScope
from visibility.boards.stored_boards import StoredBoard
from visibility.boards.tile import Tile
from visibility.boards.tile_registry import tile_registry
from visibility.boards.tile_settings import InvalidTileSetting
from visibility.boards.tile_table import TileReader, TileTable
from visibility.db.data_scope import active_scope
from visibility.models.permission import Permission

log = get_logger(__name__)

COLUMNS = 4
FIGURES = "key_figures"


@dataclass(frozen=True, slots=True)
class LoadedTile:
    """A tile with its data. `failed`: its data could not be loaded, or the tile does not exist.

    `problem`: which settings of the tile are invalid, and why. `denied`: the user lacks its
    permission; then nothing of it was read. `not_filtered`: the filter of the board does not
    apply to it.
    """

    code: str
    title: str
    width: int
    # Its place on the board, from 1.
    number: int = 1
    kinds: str = ""
    href: str = ""
    definition: str = ""
    template: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    has_header: bool = True
    has_fixed_height: bool = False
    is_pausable: bool = False
    not_filtered: bool = False
    failed: bool = False
    problem: str = ""
    denied: bool = False
    # The page of the tile; empty for one that is denied, or whose kind does not exist.
    url: str = ""
    has_table: bool = False
    # The figures of the tile; loaded for its page and its export only.
    table: TileTable | None = None

    @property
    def subtitle(self) -> str:
        """A few words beside the title."""
        return str(self.data.get("subtitle", ""))


@dataclass(frozen=True, slots=True)
class LoadedBoard:
    """A board with its loaded tiles. `sentence`: what is wrong now."""

    stored: StoredBoard
    tiles: Sequence[LoadedTile]
    sentence: str = ""

    @property
    def slug(self) -> str:
        return self.stored.slug

    @property
    def title(self) -> str:
        return self.stored.title

    @property
    def has_pausable_tile(self) -> bool:
        """Whether one of its tiles can be paused by itself."""
        return any(tile.is_pausable and not tile.denied for tile in self.tiles)

    @property
    def rows(self) -> list[list[LoadedTile]]:
        """The tiles in rows of four columns, as a wall screen shows them."""
        rows: list[list[LoadedTile]] = []
        free = 0
        for tile in self.tiles:
            if tile.width > free:
                rows.append([])
                free = COLUMNS
            rows[-1].append(tile)
            free -= tile.width
        return rows


def load_board(
    stored: StoredBoard,
    *,
    now: datetime,
    permissions: Collection[Permission],
    events: str = "",
    sources_only: bool = False,
) -> LoadedBoard:
    """The board with the data of its tiles for a user with these permissions.

    `events`: the kind of recent events that the reader chose. `sources_only`: the user sees only
    alerts about sources.
    """
    scope = BoardScope(stored.scope, events, sources_only)
    tiles = [
        _with_number_and_url(
            load_tile(entry, now=now, permissions=permissions, board=scope), stored, number
        )
        for number, entry in enumerate(stored.entries, start=1)
    ]
    figures = next((tile for tile in tiles if tile.code == FIGURES), None)
    if figures is None:
        figures = load_tile({"tile": FIGURES}, now=now, permissions=permissions, board=scope)
    return LoadedBoard(stored, tiles, str(figures.data.get("sentence", "")))


def load_tile(
    entry: Mapping[str, Any],
    *,
    now: datetime,
    permissions: Collection[Permission],
    board: BoardScope | None = None,
    table_for: TileReader | None = None,
) -> LoadedTile:
    """Load one tile. An unknown or failing tile is returned with `failed` set.

    `table_for`: also build its table, for this reader.
    """
    board = board or BoardScope()
    code = str(entry.get("tile", ""))
    kind = tile_registry().get(code)
    if kind is None:
        return LoadedTile(code=code, title=code, width=1, failed=True)
    width = tile_columns(entry)
    is_outside_scope = active_scope() is not None and not kind.is_about_orders
    if kind.permission not in permissions or is_outside_scope:
        return LoadedTile(code=code, title=kind.title, width=width, denied=True)
    shown = LoadedTile(
        code=code,
        title=kind.title,
        width=width,
        kinds=" ".join(kind.kinds),
        href=kind.href,
        definition=kind.definition,
        has_header=kind.has_header,
        has_fixed_height=kind.has_fixed_height,
        is_pausable=kind.is_pausable,
        has_table=kind.has_table(),
        not_filtered=bool(board.orders) and not kind.is_filtered,
    )
    try:
        tile: Tile = kind(entry, board)
        href = tile.displayed_href
        href = board.orders.link(href) if kind.is_filtered and href else href
        shown = replace(shown, title=tile.displayed_title, href=href)
        data = tile.load_context(now)
        table = tile.build_table(data, table_for) if table_for else None
        return replace(shown, template=tile.template_path, data=data, table=table)
    except InvalidTileSetting as error:
        return replace(shown, problem=str(error))
    except Exception:  # shown on the tile; the others go on
        log.exception("tile_failed", tile=code)
        return replace(shown, failed=True)


def load_tile_of_board(
    stored: StoredBoard,
    number: int,
    *,
    now: datetime,
    permissions: Collection[Permission],
    events: str = "",
    sources_only: bool = False,
) -> LoadedTile | None:
    """One tile of a board with its table, in full width; None if the board has no such tile."""
    if not 0 < number <= len(stored.entries):
        return None
    tile = load_tile(
        stored.entries[number - 1],
        now=now,
        permissions=permissions,
        board=BoardScope(stored.scope, events, sources_only),
        table_for=TileReader(
            prices=Permission.PRICES in permissions, contacts=Permission.CONTACTS in permissions
        ),
    )
    return replace(_with_number_and_url(tile, stored, number), width=COLUMNS)


def _with_number_and_url(tile: LoadedTile, stored: StoredBoard, number: int) -> LoadedTile:
    has_page = tile.code in tile_registry() and not tile.denied
    url = f"/boards/{stored.slug}/tiles/{number}/{tile.code}" if has_page else ""
    return replace(tile, number=number, url=url)


def tile_columns(entry: Mapping[str, Any]) -> int:
    """The configured width of an entry, clamped to 1-4 columns, or the default of its tile."""
    kind = tile_registry().get(str(entry.get("tile", "")))
    configured = entry.get("width")
    if isinstance(configured, int):
        return min(max(configured, 1), COLUMNS)
    return kind.width if kind else 1
