"""Check the tiles of a board before it is saved."""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.sdk.settings import SettingError
from visibility.boards.tile_registry import tile_registry
from visibility.boards.tile_settings import InvalidTileSetting, parse_tile_settings

MAX_TILES = 40


def tile_errors(entries: Sequence[object]) -> list[SettingError]:
    """Return an error for each invalid setting; its name is such as `tiles.0.limit`."""
    if len(entries) > MAX_TILES:
        return [SettingError("tiles", f"A board has at most {MAX_TILES} tiles.")]
    errors: list[SettingError] = []
    for number, entry in enumerate(entries):
        fields = _tile_entry_or_empty_mapping(entry)
        kind = tile_registry().get(str(fields.get("tile", "")))
        if kind is None:
            known = ", ".join(sorted(tile_registry()))
            sentence = f"There is no such tile. Tiles: {known}."
            errors.append(SettingError(f"tiles.{number}.tile", sentence))
            continue
        try:
            parse_tile_settings(kind.settings, fields)
        except InvalidTileSetting as error:
            errors += [SettingError(f"tiles.{number}.{e.name}", e.sentence) for e in error.errors]
    return errors


def _tile_entry_or_empty_mapping(entry: object) -> Mapping[str, Any]:
    """The settings by name; empty if the entry is no object."""
    return entry if isinstance(entry, Mapping) else {}
