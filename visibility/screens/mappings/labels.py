"""Master data in sentences."""

from datetime import datetime

from visibility.formatting import local, many
from visibility.models.imports import ImportState, MasterImport

KINDS = {
    "item": ("Items", "article"),
    "unit": ("Units", "unit"),
    "location": ("Places", "place"),
    "customer": ("Customers", "customer"),
    "status": ("Status words", "status word"),
    "tax": ("Tax jurisdictions", "jurisdiction"),
}
WHAT = {"added": "Added", "changed": "Changed", "ended": "Ended", "removed": "Taken away"}
STATES = {
    ImportState.WAITING: ("Waiting", "waiting"),
    ImportState.READING: ("Reading", "running"),
    ImportState.JUDGED: ("Waits for your yes", "risk"),
    ImportState.WRITING: ("Writing", "running"),
    ImportState.DONE: ("Done", "ok"),
    ImportState.REFUSED: ("Refused", "late"),
    ImportState.DISCARDED: ("Discarded", "unknown"),
}


def counted(number: int, one: str) -> str:
    """`1 order`, `2 orders`."""
    return f"{many(number)} {one}{'' if number == 1 else 's'}"


def unmapped_sentence(words: int, orders: int) -> str:
    """The answer at the top of the page."""
    if not words:
        return "Every word of the sources that must be mapped is known."
    verb = "is" if words == 1 else "are"
    hurt = "hurts" if words == 1 else "hurt"
    return f"{counted(words, 'word')} {verb} unmapped and {hurt} {counted(orders, 'order')}."


def effect_sentence(
    orders: int, messages: int, first_at: datetime | None, last_at: datetime | None
) -> str:
    """What a change reads again."""
    if not orders or first_at is None or last_at is None:
        return "No order that is known concerns this."
    days = _days(first_at, last_at)
    return f"Reads {counted(messages, 'message')} of {counted(orders, 'order')} again, told {days}."


def read_again(orders: int) -> str:
    """What a change did."""
    return f" {counted(orders, 'order')} read again." if orders else ""


def import_sentence(found: MasterImport) -> str:
    """What a file would do, or did."""
    counts = (
        f"{many(found.added)} added, {many(found.changed)} changed, "
        f"{many(found.unchanged)} unchanged, {many(found.invalid)} invalid"
    )
    return {
        ImportState.WAITING: "The file is kept and will be read in a moment.",
        ImportState.READING: "The file is being read; nothing is written yet.",
        ImportState.JUDGED: f"Would be: {counts}. Nothing is written yet.",
        ImportState.WRITING: f"Being written: {counts}.",
        ImportState.DONE: f"Written: {counts}.",
        ImportState.REFUSED: _refused(found),
        ImportState.DISCARDED: "Discarded; nothing was written.",
    }[ImportState(found.state)]


def _refused(found: MasterImport) -> str:
    if not found.invalid:
        return "Nothing was written."
    of = f" of {many(found.total)}" if found.total else ""
    return f"Nothing was written: {many(found.invalid)}{of} rows can't be taken."


def _days(first: datetime, last: datetime) -> str:
    one, other = local(first).date(), local(last).date()
    if one == other:
        return f"on {one:%d %b %Y}"
    return f"between {one:%d %b %Y} and {other:%d %b %Y}"
