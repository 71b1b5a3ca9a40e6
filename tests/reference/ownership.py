"""Assign events to orders: a plain union of strong identifiers and of objects named together."""

from collections import defaultdict
from collections.abc import Iterable

from connectors.sdk.connector import SourceRole
from connectors.sdk.event_codec import sha256_hex, to_canonical_json
from connectors.sdk.events import CanonicalEvent, ObjectKind, ObjectReference
from connectors.sdk.identifier_normalization import normalize_identifier
from tests.reference.history import ReceivedMessage, events
from visibility.management.demo_sources import SOURCES
from visibility.timeline import RecordedEvent

Number = tuple[str, str, str, str]
# The kinds that an object of a kind can belong to.
OWNERS = {
    ObjectKind.SHIPMENT: {ObjectKind.ORDER},
    ObjectKind.PACKAGE: {ObjectKind.ORDER, ObjectKind.SHIPMENT},
    ObjectKind.INVOICE: {ObjectKind.ORDER},
    ObjectKind.RETURN: {ObjectKind.ORDER},
}


def strong_identifiers(ref: ObjectReference) -> list[Number]:
    """The normalized strong identifiers of one object."""
    return [
        (ref.kind.value, i.scheme.value, i.issuer, normalize_identifier(i.scheme, i.value))
        for i in ref.identifiers
        if i.strong
    ]


class Objects:
    """Sets of identifiers of the same object; the smallest one is the key of the object."""

    def __init__(self, events: Iterable[CanonicalEvent]) -> None:
        self._sets: dict[Number, set[Number]] = {}
        for event in events:
            for ref in event.objects:
                self._join(strong_identifiers(ref))
        self._keys = {number: ":".join(min(joined)) for number, joined in self._sets.items()}

    def _join(self, numbers: list[Number]) -> None:
        joined = set(numbers).union(*(self._sets.get(number, set()) for number in numbers))
        for number in joined:
            self._sets[number] = joined

    def key_of(self, ref: ObjectReference) -> str:
        """The key of the object, empty without a strong identifier."""
        numbers = strong_identifiers(ref)
        return self._keys[numbers[0]] if numbers else ""


def orders(messages: Iterable[ReceivedMessage]) -> dict[str, list[RecordedEvent]]:
    """Every order by its key, with all events about it or about objects that belong to it."""
    received = [(m, event) for m in without_duplicates(messages) for event in events(m)]
    objects = Objects(event for _, event in received)
    named = [tuple(objects.key_of(ref) for ref in event.objects) for _, event in received]
    owned: dict[str, set[str]] = defaultdict(set)
    mentions: dict[str, set[int]] = defaultdict(set)
    kinds: dict[str, ObjectKind] = {}
    for index, ((_, event), names) in enumerate(zip(received, named, strict=True)):
        for child, ref in zip(names, event.objects, strict=True):
            kinds[child] = ref.kind
            mentions[child].add(index)
            for owner, other in zip(names, event.objects, strict=True):
                if child and owner and other.kind in OWNERS.get(ref.kind, ()):
                    owned[owner].add(child)
    result = {}
    for order in sorted(name for name, kind in kinds.items() if name and kind is ObjectKind.ORDER):
        family = {order} | owned[order] | {far for near in owned[order] for far in owned[near]}
        indexes = set().union(*(mentions[key] for key in family))
        result[order] = [_recorded(order, *received[i], named[i]) for i in sorted(indexes)]
    return result


def without_duplicates(messages: Iterable[ReceivedMessage]) -> list[ReceivedMessage]:
    """Each message as first received, without repeats of the same bytes under the same id."""
    first: dict[tuple[str, str, bytes], ReceivedMessage] = {}
    for message in sorted(messages, key=lambda message: message.at):
        first.setdefault((message.source, message.identity, message.body), message)
    return list(first.values())


def _recorded(
    order: str, message: ReceivedMessage, event: CanonicalEvent, names: tuple[str, ...]
) -> RecordedEvent:
    return RecordedEvent(
        event=event,
        source=message.source,
        role=SourceRole(SOURCES[message.source][2]),
        occurred_at=event.occurred_at or message.at,
        received_at=message.at,
        content_hash=sha256_hex(to_canonical_json(event)),
        object_keys=names,
        order_index=names.index(order) if order in names else -1,
    )
