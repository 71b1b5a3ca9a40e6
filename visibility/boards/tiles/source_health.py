"""The health of each source."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.sdk.settings import Setting, SettingType
from visibility.boards.tile import Tile
from visibility.screens.sources.current_states import MANY_PARKED, load_source_chips
from visibility.screens.sources.role_and_state_labels import SourceState


class SourceHealthTile(Tile):
    """One chip for each source, the worst first, with the states of the sources page."""

    code = "source_health"
    title = "Sources"
    kinds = ("source", "order")
    href = "/sources"
    settings = (
        Setting(
            "limit",
            "The number of sources, by title.",
            SettingType.INTEGER,
            default="40",
            minimum=1,
            maximum=200,
        ),
    )

    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """Load all sources with five SQL statements at most."""
        feeds = load_source_chips(now, limit=self.values.integer("limit"))
        worst = list(SourceState)
        return {
            "feeds": sorted(feeds, key=lambda feed: (worst.index(feed.state), feed.title.lower())),
            "reporting": sum(feed.state is SourceState.LIVE for feed in feeds),
            "many_parked": MANY_PARKED,
            "now": now,
        }
