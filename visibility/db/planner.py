"""Planner settings for one transaction."""

from collections.abc import Mapping

from django.db.backends.utils import CursorWrapper

# Few rows lead up from a number; the planner guesses many, and would read whole tables for them.
STEPWISE = {
    "enable_seqscan": "off",
    "enable_mergejoin": "off",
    "enable_hashjoin": "off",
    "enable_bitmapscan": "on",
}
# Nor is the index of parts the way to whole numbers.
DIRECT = {**STEPWISE, "enable_bitmapscan": "off"}


def planned(cursor: CursorWrapper, settings: Mapping[str, str]) -> None:
    """Plan the statements of this transaction under these settings."""
    calls = ", ".join(["set_config(%s, %s, true)"] * len(settings))
    cursor.execute(f"SELECT {calls}", [text for pair in settings.items() for text in pair])
