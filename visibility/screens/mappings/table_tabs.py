"""The tabs of a mapping page: source values, and rows of master data."""

from visibility.master_data.tables import TABLES
from visibility.models.master import TermKind


def tab_codes_and_titles_of_master_data_kind(kind: str) -> list[tuple[str, str]]:
    """(code, title) of the tabs of one kind of master data."""
    tabs = [("words", "Source values")] if kind in set(TermKind.values) else []
    return [*tabs, *([("rows", TABLES[kind].title)] if kind in TABLES else [])]


def selected_tab_code(kind: str, requested: str) -> str:
    """The requested tab, or the first."""
    codes = [code for code, _ in tab_codes_and_titles_of_master_data_kind(kind)]
    return requested if requested in codes else codes[0]
