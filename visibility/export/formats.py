"""One export: a selection, a format, and a file that is whole or not there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from visibility.export import epcis, ocel_json, ocel_sqlite
from visibility.export.redaction import Sight
from visibility.export.snapshot import MOST, Selection, picture


class Format(StrEnum):
    """What other tools read."""

    OCEL_JSON = "ocel-json"
    OCEL_SQLITE = "ocel-sqlite"
    EPCIS = "epcis"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a format is named to people, programs and file systems."""

    title: str
    media: str
    suffix: str


KINDS: Mapping[Format, Kind] = {
    Format.OCEL_JSON: Kind("OCEL 2.0 (JSON)", "application/json", "ocel.json"),
    Format.OCEL_SQLITE: Kind("OCEL 2.0 (SQLite)", "application/vnd.sqlite3", "ocel.sqlite"),
    Format.EPCIS: Kind("EPCIS 2.0", "application/ld+json", "epcis.jsonld"),
}


def export(
    selection: Selection,
    *,
    format: Format,
    path: Path,
    sight: Sight,
    now: datetime,
    most: int | None = MOST,
) -> int:
    """Write a new or an empty file; how many orders it has. Raises TooMany and Busy."""
    with picture(selection, now=now, most=most) as count:
        if format is Format.OCEL_SQLITE:
            ocel_sqlite.write(path, sight)
            return count
        with path.open("wb") as out:
            if format is Format.OCEL_JSON:
                ocel_json.write(out, sight)
            else:
                epcis.write(out, sight, now=now)
    return count
