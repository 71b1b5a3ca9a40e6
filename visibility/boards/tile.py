"""The base of the tile shelf: one thing on a board."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar


class Tile(ABC):
    """One thing on a board.

    The shelf's rule: `data` costs a handful of bounded statements whatever the number of orders,
    and each number it shows equals the list it links to. Its template is `tiles/<code>.html`; what
    only people with the right to prices may see is marked there by `{% if prices %}`.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    # What has to change ("order", "alert", "source") before the tile is asked again.
    kinds: ClassVar[tuple[str, ...]]
    # In quarters of the board.
    width: ClassVar[int] = 2
    # The page behind it.
    href: ClassVar[str] = ""

    @property
    def template(self) -> str:
        """Where its HTML is."""
        return f"tiles/{self.code}.html"

    @abstractmethod
    def data(self, now: datetime) -> Mapping[str, Any]:
        """What the template shows."""
