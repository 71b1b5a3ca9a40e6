"""Whose every event is: a plain union of strong numbers, and what was named together."""

from collections import defaultdict
from collections.abc import Iterable

from connectors.sdk.connector import Role
from connectors.sdk.events import CanonicalEvent, ObjectKind, Ref, content_hash
from connectors.sdk.normalization import normalise
from tests.reference.past import Told, events
from visibility.management.commands.demo import SOURCES
from visibility.timeline import Spoken

Number = tuple[str, str, str, str]
# What may belong to what: an order has all the others, a shipment its packages.
OWNERS = {
    ObjectKind.SHIPMENT: {ObjectKind.ORDER},
    ObjectKind.PACKAGE: {ObjectKind.ORDER, ObjectKind.SHIPMENT},
    ObjectKind.INVOICE: {ObjectKind.ORDER},
    ObjectKind.RETURN: {ObjectKind.ORDER},
}


def numbers(ref: Ref) -> list[Number]:
    """The strong numbers of one object, as they are compared."""
    return [
        (ref.kind.value, i.scheme.value, i.issuer, normalise(i.scheme, i.value))
        for i in ref.identifiers
        if i.strong
    ]


class Objects:
    """Sets of numbers that name one object; the smallest number stands for each."""

    def __init__(self, said: Iterable[CanonicalEvent]) -> None:
        self._sets: dict[Number, set[Number]] = {}
        for event in said:
            for ref in event.objects:
                self._join(numbers(ref))
        self._names = {one: ":".join(min(joined)) for one, joined in self._sets.items()}

    def _join(self, together: list[Number]) -> None:
        joined = set(together).union(*(self._sets.get(one, set()) for one in together))
        for one in joined:
            self._sets[one] = joined

    def of(self, ref: Ref) -> str:
        """The object's name; empty where nothing strong names it."""
        found = numbers(ref)
        return self._names[found[0]] if found else ""


def orders(messages: Iterable[Told]) -> dict[str, list[Spoken]]:
    """Every order by its name, with all that was said of it or of what belongs to it."""
    heard = [(told, event) for told in once(messages) for event in events(told)]
    objects = Objects(event for _, event in heard)
    named = [tuple(objects.of(ref) for ref in event.objects) for _, event in heard]
    owned: dict[str, set[str]] = defaultdict(set)
    spoken_of: dict[str, set[int]] = defaultdict(set)
    kinds: dict[str, ObjectKind] = {}
    for place, ((_, event), names) in enumerate(zip(heard, named, strict=True)):
        for child, ref in zip(names, event.objects, strict=True):
            kinds[child] = ref.kind
            spoken_of[child].add(place)
            for owner, other in zip(names, event.objects, strict=True):
                if child and owner and other.kind in OWNERS.get(ref.kind, ()):
                    owned[owner].add(child)
    found = {}
    for order in sorted(name for name, kind in kinds.items() if name and kind is ObjectKind.ORDER):
        family = {order} | owned[order] | {far for near in owned[order] for far in owned[near]}
        places = set().union(*(spoken_of[one] for one in family))
        found[order] = [_spoken(order, *heard[place], named[place]) for place in sorted(places)]
    return found


def once(messages: Iterable[Told]) -> list[Told]:
    """Each message as it first came: the same bytes again under the same id are no news."""
    first: dict[tuple[str, str, bytes], Told] = {}
    for told in sorted(messages, key=lambda told: told.at):
        first.setdefault((told.source, told.identity, told.body), told)
    return list(first.values())


def _spoken(order: str, told: Told, event: CanonicalEvent, names: tuple[str, ...]) -> Spoken:
    return Spoken(
        event=event,
        source=told.source,
        role=Role(SOURCES[told.source][2]),
        occurred_at=event.occurred_at or told.at,
        received_at=told.at,
        content_hash=content_hash(event),
        objects=names,
        order=names.index(order) if order in names else -1,
    )
