"""A board: its tiles in order, each with its data or with what went wrong."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import Error as DatabaseTrouble

from visibility.boards.registry import shelf
from visibility.boards.tile import Tile
from visibility.models import Board

log = logging.getLogger(__name__)

OPERATIONS = "operations"
# What the board shows until somebody arranges it.
STANDARD: tuple[Mapping[str, Any], ...] = (
    {"tile": "key_figures", "width": 4},
    {"tile": "order_funnel", "width": 4},
    {"tile": "top_alerts", "width": 2},
    {"tile": "notable_events", "width": 2},
    {"tile": "message_rate", "width": 2},
    {"tile": "source_health", "width": 2},
)


@dataclass(frozen=True, slots=True)
class Placed:
    """A tile on the board. `failed`: it could not be read; the others still show."""

    code: str
    title: str
    width: int
    kinds: str = ""
    href: str = ""
    template: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A board as a page shows it."""

    slug: str
    title: str
    tiles: Sequence[Placed]


def board(slug: str, *, now: datetime) -> Shown | None:
    """The board with all its tiles read, or None where there is no such board."""
    kept = Board.objects.filter(slug=slug).first()
    if kept is None and slug != OPERATIONS:
        return None
    wanted = kept.tiles if kept else STANDARD
    return Shown(
        slug=slug,
        title=kept.title if kept else "Operations",
        tiles=[placed(entry, now=now) for entry in wanted],
    )


def titles() -> dict[str, str]:
    """All boards by slug; the operations board is always there."""
    kept = dict(Board.objects.order_by("title").values_list("slug", "title")[:100])
    return {OPERATIONS: "Operations"} | kept


def placed(entry: Mapping[str, Any], *, now: datetime) -> Placed:
    """One tile, read; one that the shelf no longer has, or that fails, says so."""
    code = str(entry.get("tile", ""))
    kind = shelf().get(code)
    if kind is None:
        return Placed(code=code, title=code, width=1, failed=True)
    tile: Tile = kind()
    shown = Placed(
        code=code,
        title=tile.title,
        width=_width(entry.get("width"), tile.width),
        kinds=" ".join(tile.kinds),
        href=tile.href,
    )
    try:
        return replace(shown, template=tile.template, data=tile.data(now))
    except DatabaseTrouble:
        log.exception("event=tile_failed tile=%s", code)
        return replace(shown, failed=True)


def _width(wish: object, usual: int) -> int:
    """One to four quarters of the board."""
    return min(max(wish, 1), 4) if isinstance(wish, int) else usual
