"""The statuses that a status text of a source can be mapped to: the event types, in words."""

from collections.abc import Mapping

from connectors.sdk.event_type_descriptions import EVENT_TYPES
from connectors.sdk.events import EventType
from visibility.master_data.cell_conversion import InvalidCell
from visibility.models.master import TermKind

# (event type, label), in the order of the vocabulary.
STATUS_CHOICES: tuple[tuple[str, str], ...] = tuple(
    (event_type.value, description.label)
    for event_type, description in EVENT_TYPES.items()
    if event_type is not EventType.UNMAPPED
)
STATUS_LABELS = dict(STATUS_CHOICES)
_TYPES_BY_TEXT = {
    text.casefold(): value for value, label in STATUS_CHOICES for text in (label, value)
}


def parse_status(text: str) -> str:
    """The event type of a status, given as its type or its label. Raises InvalidCell."""
    event_type = _TYPES_BY_TEXT.get(text.strip().casefold())
    if event_type is None:
        raise InvalidCell(
            f"{text[:80]!r} is not one of our statuses; choose one from the list, "
            f"for example {STATUS_LABELS[EventType.ORDER_RELEASED]} (order.released)"
        )
    return event_type


def canonical_label(cells: Mapping[str, str], name: str) -> str:
    """A cell of a row as text for people: a status by its label."""
    is_status = name == "canonical" and cells.get("kind") == TermKind.STATUS
    return STATUS_LABELS.get(cells[name], cells[name]) if is_status else cells[name]
