"""The tiles on the shelf, loaded once."""

from collections.abc import Mapping
from functools import cache

from connectors.plugins import load
from visibility.show import tiles
from visibility.show.tile import Tile


@cache
def shelf() -> Mapping[str, type[Tile]]:
    """Every tile by its code."""
    return load(tiles, Tile, "code")
