"""Which lines of the order each event of a timeline names."""

from collections.abc import Mapping

from visibility.timeline.interpret_event_lines import CACHE_KEY
from visibility.timeline.model import Timeline


def line_keys_by_event(timeline: Timeline) -> Mapping[int, frozenset[str]]:
    """The keys of the lines by ID of the event; events that name no line have none.

    A superseded event names the lines that events in effect have under the same ids.
    """
    translated, interpretation = timeline.cache[CACHE_KEY]
    keys: dict[int, frozenset[str]] = {}
    keys_by_line_id: dict[tuple[str, str], str] = {}
    for recorded in translated:
        for line in interpretation.lines_of_event(recorded):
            keys[recorded.event_id] = keys.get(recorded.event_id, frozenset()) | {line.key}
            keys_by_line_id[recorded.source, line.line.line_id] = line.key
    for entry in timeline.entries:
        recorded = entry.recorded
        if entry.superseded:
            ids = [(recorded.source, line.line_id) for line in recorded.event.lines]
            keys[recorded.event_id] = frozenset(
                keys_by_line_id[each] for each in ids if each in keys_by_line_id
            )
    return keys
