"""The base class of board tiles."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar


class Tile(ABC):
    """One tile of a board.

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

    @property
    def template_path(self) -> str:
        """The template path."""
        return f"tiles/{self.code}.html"

    @abstractmethod
    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """The template context."""
