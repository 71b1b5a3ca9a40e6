"""The tiles on the shelf, loaded once."""

from collections.abc import Mapping
from functools import cache

from connectors.sdk.registry import load
from visibility.boards import tiles
from visibility.boards.tile import Tile


@cache
def shelf() -> Mapping[str, type[Tile]]:
    """Every tile by its code."""
    return load(tiles, Tile, "code")
