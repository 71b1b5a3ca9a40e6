"""What somebody else saved in a mapping row while a person edited it."""

from collections.abc import Mapping
from datetime import datetime

from visibility.master_data.tables import MasterTable
from visibility.models.master import Versioned
from visibility.screens.mappings.term_and_row_queries import list_row_changes
from visibility.screens.save_conflicts import SaveConflict, build_save_conflict


def load_save_conflict(
    table: MasterTable, stored: Versioned, entered: Mapping[str, str], now: datetime, *, url: str
) -> SaveConflict:
    """The stored row against the entered values. One statement."""
    latest = next(iter(list_row_changes(table, stored.pk)), None)
    stored_cells = table.format_cells(stored)
    return build_save_conflict(
        {column.title: stored_cells.get(column.name, "") for column in table.columns},
        {column.title: entered.get(column.name, "") for column in table.columns},
        by=latest.user if latest else None,
        at=latest.at if latest else None,
        now=now,
        form_id="row-form",
        reload_url=url,
        button="save",
    )
