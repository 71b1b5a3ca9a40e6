"""Export a selection of orders in one of the formats."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from visibility.export import epcis, ocel_json, ocel_sqlite
from visibility.export.redaction import Redaction
from visibility.export.snapshot_to_temp_tables import (
    MAX_ORDERS,
    OrderSelection,
    snapshot_in_temporary_tables,
)


class Format(StrEnum):
    """The export formats."""

    OCEL_JSON = "ocel-json"
    OCEL_SQLITE = "ocel-sqlite"
    EPCIS = "epcis"


@dataclass(frozen=True, slots=True)
class FormatInfo:
    """A format's title, media type and file suffix."""

    title: str
    media_type: str
    suffix: str


FORMAT_INFO: Mapping[Format, FormatInfo] = {
    Format.OCEL_JSON: FormatInfo("OCEL 2.0 (JSON)", "application/json", "ocel.json"),
    Format.OCEL_SQLITE: FormatInfo("OCEL 2.0 (SQLite)", "application/vnd.sqlite3", "ocel.sqlite"),
    Format.EPCIS: FormatInfo("EPCIS 2.0", "application/ld+json", "epcis.jsonld"),
}


def export_orders(
    selection: OrderSelection,
    *,
    format: Format,
    path: Path,
    redaction: Redaction,
    now: datetime,
    max_orders: int | None = MAX_ORDERS,
) -> int:
    """Write the export to `path`; return the number of orders.

    Raises TooManyOrders, TooManyExports.
    """
    with snapshot_in_temporary_tables(selection, now=now, max_orders=max_orders) as count:
        if format is Format.OCEL_SQLITE:
            ocel_sqlite.write_ocel_sqlite(path, redaction)
            return count
        with path.open("wb") as out:
            if format is Format.OCEL_JSON:
                ocel_json.write_ocel_json(out, redaction)
            else:
                epcis.write_epcis_document(out, redaction, now=now)
    return count
