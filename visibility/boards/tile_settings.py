"""The settings of a tile: those that it declares, and those that every tile has."""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.sdk.settings import (
    ParsedSettings,
    Setting,
    SettingError,
    SettingType,
    parse_and_check_settings,
)

MAX_TITLE_LENGTH = 80


class InvalidTileSetting(ValueError):
    """Settings of a tile are invalid. The message names them, and is shown in place of the tile."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        super().__init__(" ".join(f"{error.name}: {error.sentence}" for error in errors))
        self.errors = tuple(errors)


def check_title_length(text: str) -> None:
    """Check that a title fits on a tile. Raises ValueError."""
    if len(text) > MAX_TITLE_LENGTH:
        raise ValueError(f"The title is longer than {MAX_TITLE_LENGTH} characters.")


COMMON_SETTINGS = (
    Setting("tile", "The code of the tile."),
    Setting("title", "Replaces the usual title.", check=check_title_length),
    Setting("width", "The columns, of four.", SettingType.INTEGER, minimum=1, maximum=4),
)


def parse_tile_settings(declared: Sequence[Setting], entry: Mapping[str, Any]) -> ParsedSettings:
    """Return the typed values of an entry of a board. Raises InvalidTileSetting."""
    errors = [
        SettingError(str(name)[:60], "The value must be a text, a number, true or false.")
        for name, value in entry.items()
        if not isinstance(value, str | int | float) or value == ""
    ]
    refused = {error.name for error in errors}
    readable = {name: value for name, value in entry.items() if str(name)[:60] not in refused}
    parsed = parse_and_check_settings((*declared, *COMMON_SETTINGS), readable, owner="tile")
    errors += parsed.errors
    if errors:
        raise InvalidTileSetting(errors)
    return parsed
