"""The base class of board tiles."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from connectors.sdk.settings import ParsedSettings, Setting
from visibility.boards.board_scope import BoardScope
from visibility.boards.tile_settings import parse_tile_settings
from visibility.boards.tile_table import TileReader, TileTable
from visibility.models.permission import Permission


class Tile(ABC):
    """One tile of a board.

    `settings` declares what its entry in the `Board` row may contain besides `title` and `width`;
    `values` has the typed values. Who lacks `permission` sees neither the tile nor its data.

    `load_context()` must run a small number of bounded SQL statements, whatever the number of
    orders. Each number must equal the length of the list it links to. The template is
    `tiles/<code>.html`; it shows prices only inside `{% if prices %}`.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    # Change kinds ("order", "alert", "source") after which the tile is reloaded.
    kinds: ClassVar[tuple[str, ...]]
    settings: ClassVar[tuple[Setting, ...]] = ()
    permission: ClassVar[Permission] = Permission.BOARDS
    # Whether it shows orders. A person with a scope does not see the others.
    is_about_orders: ClassVar[bool] = True
    # In columns; a board has four.
    width: ClassVar[int] = 2
    # The list that the title and the menu of the tile link to.
    href: ClassVar[str] = ""
    # What its numbers mean, in the menu of the tile.
    definition: ClassVar[str] = ""
    # Whether `load_context()` observes `board.orders`; if not, a limited board says so.
    is_filtered: ClassVar[bool] = False
    # Whether its title is shown above it.
    has_header: ClassVar[bool] = True
    # Whether a wall screen shows it in its own height, instead of sharing what is left.
    has_fixed_height: ClassVar[bool] = False
    # Whether live updates of this tile can be paused by themselves.
    is_pausable: ClassVar[bool] = False

    def __init__(
        self, entry: Mapping[str, Any] | None = None, board: BoardScope | None = None
    ) -> None:
        """Read the entry of a board. Raises InvalidTileSetting."""
        self.board = board or BoardScope()
        self.values: ParsedSettings = parse_tile_settings(self.settings, entry or {})

    @property
    def displayed_title(self) -> str:
        """The title on the board: the setting `title`, or else the usual one."""
        return self.values.text("title") or self.usual_title

    @property
    def usual_title(self) -> str:
        """The title of a tile without the setting `title`."""
        return self.title

    @property
    def displayed_href(self) -> str:
        """The page that the title links to."""
        return self.href

    @property
    def template_path(self) -> str:
        """The template path."""
        return f"tiles/{self.code}.html"

    @abstractmethod
    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """The template context."""

    def build_table(self, context: Mapping[str, Any], reader: TileReader) -> TileTable | None:
        """The figures of a loaded context as a table; None for a tile without figures."""
        return None

    @classmethod
    def has_table(cls) -> bool:
        """Whether the tile has figures, so that its menu offers them as a table and as CSV."""
        return cls.build_table is not Tile.build_table
