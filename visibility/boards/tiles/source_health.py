"""The health of each source."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.sdk.settings import Setting, SettingType
from visibility.boards.tile import Tile
from visibility.boards.tile_table import TileReader, TileTable
from visibility.screens.sources.current_states import MANY_PARKED, SourceChip
from visibility.screens.sources.role_and_state_labels import SourceState


class SourceHealthTile(Tile):
    """One chip for each source, the worst first, with the states of the sources page."""

    code = "source_health"
    title = "Sources"
    kinds = ("source", "order")
    is_about_orders = False
    href = "/sources"
    definition = (
        "The state of each source, the worst first, and its last message. No data: nothing came "
        "within the silence limit of the source."
    )
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
        feeds = self.board.source_chips(now)[: self.values.integer("limit")]
        worst = list(SourceState)
        return {
            "feeds": sorted(feeds, key=lambda feed: (worst.index(feed.state), feed.title.lower())),
            "subtitle": _states_text(feeds),
            "many_parked": MANY_PARKED,
            "now": now,
        }

    def build_table(self, context: Mapping[str, Any], reader: TileReader) -> TileTable:
        """The state, last message and parked messages of each source."""
        feeds: Sequence[SourceChip] = context["feeds"]
        return TileTable(
            ("Source", "State", "Last message", "Parked messages"),
            [
                [
                    feed.title,
                    feed.state.value,
                    feed.last_at,
                    f"{feed.parked:,}+" if feed.parked == MANY_PARKED else feed.parked,
                ]
                for feed in feeds
            ],
        )


def _states_text(feeds: Sequence[SourceChip]) -> str:
    """`5 of 7 live, 1 no data, 1 catching up`; empty without sources."""
    states = Counter(feed.state for feed in feeds)
    texts = [f"{states[SourceState.LIVE]} of {len(feeds)} live"] if feeds else []
    others = [state for state in SourceState if state is not SourceState.LIVE and states[state]]
    return ", ".join([*texts, *(f"{states[state]} {state.value.lower()}" for state in others)])
