"""What a source reported before another one replaced it, as at the cut-over to a new ERP."""

from collections.abc import Sequence
from dataclasses import replace

from visibility.timeline.model import RecordedEvent


def attribute_to_replacing_sources(events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """Attribute the events of a replaced source to the one that replaced it, for their claims.

    Claims of the old system then count until the new one reports the same, and the two never
    contradict each other. An order that the new system does not report stays with the old one.
    """
    successors = {
        recorded.replaces: recorded
        for recorded in events
        if recorded.replaces and recorded.replaces != recorded.source
    }
    result = list(events)
    for index, recorded in enumerate(events if successors else ()):
        passed = {recorded.source}
        while (
            successor := successors.get(result[index].source)
        ) and successor.source not in passed:
            passed.add(successor.source)
            result[index] = replace(recorded, source=successor.source, role=successor.role)
    return result
