"""Planner settings for one transaction."""

from collections.abc import Mapping

from django.db.backends.utils import CursorWrapper

# A search matches few identifiers, but the planner expects many and would scan whole tables.
PREFER_INDEXES = {
    "enable_seqscan": "off",
    "enable_mergejoin": "off",
    "enable_hashjoin": "off",
    "enable_bitmapscan": "on",
}
# For exact lookups also disable bitmap scans, or the planner picks the trigram index.
PREFER_INDEXES_NO_BITMAP = {**PREFER_INDEXES, "enable_bitmapscan": "off"}


def set_planner_settings_for_transaction(
    cursor: CursorWrapper, settings: Mapping[str, str]
) -> None:
    """Apply these planner settings until the end of the transaction."""
    calls = ", ".join(["set_config(%s, %s, true)"] * len(settings))
    cursor.execute(f"SELECT {calls}", [text for pair in settings.items() for text in pair])
