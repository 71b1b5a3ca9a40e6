"""The tabs of the mapping pages: source values, and rows of master data."""

from collections.abc import Sequence
from dataclasses import dataclass

from visibility.master_data.tables import TABLES
from visibility.models.master import TermKind


@dataclass(frozen=True, slots=True)
class TableTab:
    """A tab. `table` and `kind`: which rows its list has."""

    title: str
    url: str
    table: str
    kind: str = ""


def tabs_of_kind(kind: str) -> Sequence[TableTab]:
    """The source values and the master data of one kind; without one, the source values of all."""
    if not kind:
        return [TableTab("Source values", "/mappings/mapping", "mapping")]
    values = TableTab("Source values", f"/mappings/mapping?kind={kind}", "mapping", kind)
    rows = [TableTab(TABLES[kind].title, f"/mappings/{kind}", kind)] if kind in TABLES else []
    return [values, *rows] if kind in set(TermKind.values) else rows
