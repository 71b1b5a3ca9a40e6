"""Objects that the events of an order name and that may concern many orders, such as a contract."""

from collections.abc import Iterable, Iterator

from connectors.sdk.events import IdentifierScheme, ObjectKind
from visibility.timeline.interpret_event_lines import event_names_only_other_orders
from visibility.timeline.model import RecordedEvent, RelatedObject

TRANSPORT_KINDS = (
    ObjectKind.LOAD,
    ObjectKind.VEHICLE,
    ObjectKind.CONTAINER,
    ObjectKind.TRANSPORT_DOCUMENT,
)
RELATED_KINDS = (ObjectKind.QUOTATION, ObjectKind.CONTRACT, *TRANSPORT_KINDS)


def quotations_contracts_and_transport(
    events: Iterable[RecordedEvent],
) -> tuple[RelatedObject, ...]:
    """The quotations, contracts and means of transport of an order, sorted."""
    matches = {
        related
        for recorded in events
        if not event_names_only_other_orders(recorded)
        for related in objects_of_kinds_named_by_event(recorded, RELATED_KINDS)
    }
    return tuple(sorted(matches, key=lambda r: (RELATED_KINDS.index(r.kind), r.number)))


def objects_of_kinds_named_by_event(
    recorded: RecordedEvent, kinds: Iterable[ObjectKind]
) -> Iterator[RelatedObject]:
    """The objects of these kinds, by their first number that is no technical id if possible."""
    for ref in recorded.event.objects:
        if ref.kind in kinds and ref.identifiers:
            named = [i for i in ref.identifiers if i.scheme is not IdentifierScheme.SOURCE_ID]
            yield RelatedObject(ref.kind, (named or ref.identifiers)[0].value)
