"""Labels and sentences for the mapping pages."""

from datetime import datetime

from visibility.formatting import count_with_noun, format_date, format_number, in_zone
from visibility.models.imports import ImportState, MasterImport
from visibility.storage.organization import organization_time_zone

KIND_LABELS = {
    "item": ("Items", "item"),
    "unit": ("Units", "unit"),
    "location": ("Locations", "location"),
    "customer": ("Customers", "customer"),
    "status": ("Status codes", "status code"),
    "tax": ("Tax jurisdictions", "jurisdiction"),
}
ACTION_LABELS = {"added": "Added", "changed": "Changed", "ended": "Ended", "removed": "Deleted"}
IMPORT_STATE_LABELS = {
    ImportState.WAITING: ("Queued", "waiting"),
    ImportState.READING: ("Validating", "running"),
    ImportState.VALIDATED: ("Awaiting approval", "risk"),
    ImportState.WRITING: ("Importing", "running"),
    ImportState.DONE: ("Imported", "ok"),
    ImportState.REJECTED: ("Rejected", "late"),
    ImportState.DISCARDED: ("Discarded", "unknown"),
}


def unmapped_sentence(terms: int, orders: int) -> str:
    """Summarize the unmapped source values."""
    if not terms:
        return "Nothing to map."
    verb, effect = ("is", "affects") if terms == 1 else ("are", "affect")
    values = count_with_noun(terms, "source value")
    return f"{values} {verb} unmapped and {effect} {count_with_noun(orders, 'order')}."


def messages_and_orders_to_reprocess_sentence(
    orders: int, messages: int, first_at: datetime | None, last_at: datetime | None
) -> str:
    """Summarize the messages that a change reprocesses."""
    if not orders or first_at is None or last_at is None:
        return "No orders are affected."
    days = _format_date_range(first_at, last_at)
    messages_and_orders = (
        f"{count_with_noun(messages, 'message')} of {count_with_noun(orders, 'order')}"
    )
    return f"Reprocesses {messages_and_orders} dated {days}."


def reprocessed_suffix(orders: int) -> str:
    """The end of a success message: how many orders are reprocessed."""
    return f" {count_with_noun(orders, 'order')} queued for reprocessing." if orders else ""


def import_sentence(master_import: MasterImport) -> str:
    """Summarize what the import of a file would do, or did."""
    counts = (
        f"{format_number(master_import.added)} added, "
        f"{format_number(master_import.changed)} changed, "
        f"{format_number(master_import.unchanged)} unchanged, "
        f"{format_number(master_import.invalid)} invalid"
    )
    return {
        ImportState.WAITING: "The file is queued for validation.",
        ImportState.READING: "The file is being validated. Nothing has been imported.",
        ImportState.VALIDATED: f"Preview: {counts}. Nothing has been imported.",
        ImportState.WRITING: f"Importing: {counts}.",
        ImportState.DONE: f"Imported: {counts}.",
        ImportState.REJECTED: _rejected_sentence(master_import),
        ImportState.DISCARDED: "Discarded. Nothing was imported.",
    }[ImportState(master_import.state)]


def _rejected_sentence(master_import: MasterImport) -> str:
    if not master_import.invalid:
        return "Nothing was imported."
    of = f" of {format_number(master_import.total)}" if master_import.total else ""
    return f"Nothing was imported: {format_number(master_import.invalid)}{of} rows are invalid."


def _format_date_range(first: datetime, last: datetime) -> str:
    first_day, last_day = (in_zone(at, organization_time_zone()).date() for at in (first, last))
    if first_day == last_day:
        return format_date(first_day, weekday=False, year=True)
    return " to ".join(format_date(day, weekday=False, year=True) for day in (first_day, last_day))
