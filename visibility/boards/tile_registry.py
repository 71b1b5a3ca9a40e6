"""Load the board tiles once per process."""

from collections.abc import Mapping
from functools import cache

from connectors.sdk.load_plugins_of_package import load_plugins
from visibility.boards import tiles
from visibility.boards.tile import Tile


@cache
def tile_registry() -> Mapping[str, type[Tile]]:
    """Every tile class by its code."""
    return load_plugins(tiles, Tile, "code")
