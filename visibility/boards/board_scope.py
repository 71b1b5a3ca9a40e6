"""What all tiles of a board share: its orders, which alerts its reader sees, and the sources."""

from dataclasses import dataclass, field
from datetime import datetime

from visibility.screens.orders.order_scope import OrderScope
from visibility.screens.sources.current_states import SourceChip, load_source_chips


@dataclass
class BoardScope:
    """The orders of a board, and the states of the sources, which are read once per board.

    `events`: the kind of recent events that the reader chose, or "" for all. `sources_only`: who
    reads it sees only alerts about sources, as in their inbox.
    """

    orders: OrderScope = field(default_factory=OrderScope)
    events: str = ""
    sources_only: bool = False
    _chips: tuple[datetime, list[SourceChip]] | None = None

    def source_chips(self, now: datetime) -> list[SourceChip]:
        """The sources by title; at most three statements for all tiles together."""
        if self._chips is None or self._chips[0] != now:
            self._chips = (now, load_source_chips(now))
        return self._chips[1]
