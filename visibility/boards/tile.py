"""The base class of board tiles."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar


class InvalidTileSetting(ValueError):
    """A setting of a tile is invalid. The message names it, and is shown in place of the tile."""


class Tile(ABC):
    """One tile of a board. `settings` is its entry in the `Board` row.

    `data` must run a small number of bounded SQL statements, whatever the number of orders. Each
    number must equal the length of the list it links to. The template is `tiles/<code>.html`; it
    shows prices only inside `{% if prices %}`.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    # Change kinds ("order", "alert", "source") after which the tile is reloaded.
    kinds: ClassVar[tuple[str, ...]]
    # In columns; a board has four.
    width: ClassVar[int] = 2
    # The page that the title links to.
    href: ClassVar[str] = ""

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        self.settings: Mapping[str, Any] = settings or {}

    @property
    def displayed_title(self) -> str:
        """The title on the board. Raises InvalidTileSetting."""
        return self.title

    @property
    def displayed_href(self) -> str:
        """The page that the title links to. Raises InvalidTileSetting."""
        return self.href

    @property
    def template_path(self) -> str:
        """The template path."""
        return f"tiles/{self.code}.html"

    @abstractmethod
    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """The template context. Raises InvalidTileSetting."""
