"""What somebody else saved in a mapping row while a person edited it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from visibility.master_data.tables import MasterTable
from visibility.models.master import Versioned
from visibility.screens.mappings.term_and_row_queries import list_row_changes
from visibility.screens.relative_and_absolute_time import IsoRelativeAndAbsoluteTime, displayed_time


@dataclass(frozen=True, slots=True)
class SaveConflict:
    """Who saved what. `differences`: (column title, your value, their value)."""

    who: str
    at: IsoRelativeAndAbsoluteTime | None
    differences: tuple[tuple[str, str, str], ...]


def load_save_conflict(
    table: MasterTable, stored: Versioned, entered: Mapping[str, str], now: datetime
) -> SaveConflict:
    """The stored row against the entered values. One statement."""
    latest = next(iter(list_row_changes(table, stored.pk)), None)
    user = latest.user if latest else None
    stored_cells = table.format_cells(stored)
    return SaveConflict(
        (user.get_full_name() or user.get_username()) if user else "The command line",
        displayed_time(latest.at if latest else None, now),
        tuple(
            (column.title, entered.get(column.name, "").strip(), stored_cells.get(column.name, ""))
            for column in table.columns
            if entered.get(column.name, "").strip() != stored_cells.get(column.name, "")
        ),
    )
