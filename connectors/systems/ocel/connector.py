"""OCEL 2.0: an object-centric event log as JSON, in whatever words its objects and events have."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from connectors.sdk import auth, standard_webhooks
from connectors.sdk.connector import Connector, Message, Parsed, Request, Role
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Flag,
    Identifier,
    Line,
    ObjectKind,
    Ref,
    Scheme,
    issued,
)
from connectors.sdk.payload import Node, PayloadError, Reason, load_json
from connectors.sdk.timestamps import instant
from connectors.systems.ocel.terms import COUNTS, kind_of, own_words, type_of

SCHEMES: Mapping[ObjectKind, Scheme] = {
    ObjectKind.ORDER: Scheme.ORDER_NUMBER,
    ObjectKind.SHIPMENT: Scheme.SHIPMENT,
    ObjectKind.PACKAGE: Scheme.SOURCE_ID,  # an id of the log is no tracking number
    ObjectKind.INVOICE: Scheme.INVOICE,
    ObjectKind.RETURN: Scheme.RMA,
}
TEXTS = (
    Attribute.CHANNEL,
    Attribute.CARRIER,
    Attribute.SERVICE,
    Attribute.WAREHOUSE,
    Attribute.LOCATION,
    Attribute.REASON,
)
WHOLE = frozenset({EventType.ORDER_RECEIVED})


@dataclass(frozen=True)
class _Object:
    """An object of the log, of a kind we know."""

    id: str
    kind: ObjectKind
    sku: str


@dataclass(frozen=True)
class _Log:
    """The objects of a log, and for each the orders it belongs to by the log's own relations."""

    objects: Mapping[str, _Object]
    orders: Mapping[str, Sequence[str]]


class Ocel(Connector):
    """A log that a process mining tool or an ERP extractor wrote. Its orders, shipments or
    deliveries, packages, invoices and returns become ours by the usual names of their types; its
    items become lines of the orders they belong to. Authentication as with CloudEvents."""

    slug = "ocel"
    title = "OCEL 2.0 event log"
    role = Role.OTHER
    files = True
    settings: ClassVar[Mapping[str, str]] = {
        "order_number": "Whose number the id of an order is, such as sales_order@erp.",
        "objects": "Own names of object types, such as Box=package, Beleg=invoice.",
        "activities": "Own names of activities, such as Book order=order.received.",
        "zone": "The IANA time zone of times without an offset (default UTC).",
    }
    kept_headers: ClassVar[frozenset[str]] = standard_webhooks.HEADERS | standard_webhooks.SVIX

    def verify(self, request: Request, secrets: Sequence[bytes], now: datetime) -> None:
        """A bearer token, or a Standard Webhooks signature."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            auth.check_token(token.strip(), secrets)
        else:
            standard_webhooks.check(request.headers, request.body, secrets, now)

    def sign(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """The bearer token."""
        return {
            "authorization": f"Bearer {secret.decode('utf-8', 'replace')}",
            "content-type": "application/json",
        }

    def dedupe_key(self, request: Request) -> str:
        """A log has no name of its own: the content decides."""
        return ""

    def parse(self, message: Message) -> Parsed:
        """Every event on its own; one that can't be read leaves the others whole."""
        root = load_json(message.body)
        log = self._log(root)
        named_together = self._named_together(root, log)
        events: list[CanonicalEvent] = []
        problems: list[PayloadError] = []
        for node in root.items("events"):
            try:
                if event := self._event(node, log, named_together):
                    events.append(event)
            except PayloadError as error:
                problems.append(error)
        ignored = (
            "" if events or problems else "no event of it names an order or what belongs to it"
        )
        return Parsed(tuple(events), tuple(problems), ignored)

    def _log(self, root: Node) -> _Log:
        own = own_words(self.config.get("objects", ""))
        objects: dict[str, _Object] = {}
        pairs: list[tuple[str, str]] = []
        for node in root.items("objects"):
            object_id, kind = node.need("id"), kind_of(node.need("type"), own)
            pairs += [(object_id, r.need("objectId")) for r in node.items("relationships")]
            if kind:
                objects[object_id] = _Object(object_id, kind, _sku(node) or object_id)
        orders: dict[str, list[str]] = defaultdict(list)
        for one, other in (*pairs, *((b, a) for a, b in pairs)):
            if one in objects and other in objects and objects[other].kind is ObjectKind.ORDER:
                orders[one].append(other)
        return _Log(objects, {k: list(dict.fromkeys(found)) for k, found in orders.items()})

    def _named_together(self, root: Node, log: _Log) -> frozenset[tuple[str, str]]:
        """Pairs of an object and its order that some event of the log names."""
        found: set[tuple[str, str]] = set()
        for node in root.items("events"):
            named = [o.id for o in _named(node, log)]
            found |= {
                (one, order) for one in named for order in log.orders.get(one, ()) if order in named
            }
        return frozenset(found)

    def _event(
        self, node: Node, log: _Log, named_together: frozenset[tuple[str, str]]
    ) -> CanonicalEvent | None:
        """None where it names nothing that belongs to an order."""
        word = node.need("type")
        kind = type_of(word, own_words(self.config.get("activities", "")))
        named = _named(node, log)
        items = [o for o in named if o.kind is ObjectKind.ITEM]
        orders = _orders(named, items, log, named_together)
        others = [o for o in named if o.kind in SCHEMES and o.kind is not ObjectKind.ORDER]
        objects = tuple(self._ref(o) for o in (*orders, *others))
        if not objects:
            return None
        at = instant(node.need("time"), f"{node.path}.time", self.config.get("zone") or "UTC")
        event_id = node.need("id")
        return CanonicalEvent(
            type=kind or EventType.UNMAPPED,
            key=f"ocel {event_id}",
            occurred_at=at.at if at else None,
            objects=objects,
            lines=tuple(_lines(items, orders, kind, log)),
            part="" if kind in WHOLE else f"event {event_id}",
            attributes=_attributes(node, named),
            raw_type=word if kind is None or kind.value != word else "",
            flags=(*((Flag.SANITISED,) * node.sanitised),),
        )

    def _ref(self, known: _Object) -> Ref:
        """A name that our own export gave says scheme and issuer itself."""
        parts = known.id.split(":", 3)
        if len(parts) == 4 and parts[0] == known.kind and parts[1] in set(Scheme) and parts[3]:
            return Ref(known.kind, (Identifier(Scheme(parts[1]), parts[3], parts[2]),))
        scheme, issuer = SCHEMES[known.kind], self.source
        if known.kind is ObjectKind.ORDER:
            try:
                scheme, issuer = issued(self.config.get("order_number", ""), (scheme, issuer))
            except ValueError as error:
                raise PayloadError(Reason.MAPPING, "settings", str(error)) from None
        return Ref(known.kind, (Identifier(scheme, known.id, issuer),))


def _sku(node: Node) -> str:
    """What an item is one of, where the log says so."""
    for attribute in node.items("attributes"):
        if attribute.text("name").lower() in {"sku", "product", "product_id", "material"}:
            return attribute.text("value")
    return ""


def _named(node: Node, log: _Log) -> list[_Object]:
    """The objects an event names, each once."""
    ids = dict.fromkeys(r.need("objectId") for r in node.items("relationships"))
    return [log.objects[i] for i in ids if i in log.objects]


def _orders(
    named: Sequence[_Object],
    items: Sequence[_Object],
    log: _Log,
    named_together: frozenset[tuple[str, str]],
) -> list[_Object]:
    """The orders it names; else those of its items; and those only a relation of the log tells."""
    found = [o.id for o in named if o.kind is ObjectKind.ORDER]
    if not found:
        found = [order for item in items for order in log.orders.get(item.id, ())]
    found += [
        order
        for o in named
        if o.kind in SCHEMES and o.kind is not ObjectKind.ORDER
        for order in log.orders.get(o.id, ())
        if (o.id, order) not in named_together
    ]
    return [log.objects[i] for i in dict.fromkeys(found)]


def _lines(
    items: Sequence[_Object], orders: Sequence[_Object], kind: EventType | None, log: _Log
) -> Iterator[Line]:
    """One of each item, for the one order of the event that it can belong to."""
    measure = COUNTS.get(kind) if kind else None
    places = {order.id: place for place, order in enumerate(orders)}
    for item in items if measure else ():
        mine = [places[o] for o in log.orders.get(item.id, ()) if o in places]
        mine = mine or list(places.values())
        if len(mine) == 1 and measure:
            quantities = {measure: Decimal(1)}
            yield Line(item.id, sku=item.sku, quantities=quantities, order=mine[0])


def _attributes(node: Node, named: Sequence[_Object]) -> dict[Attribute, str]:
    told = {a.text("name").lower(): a.at("value") for a in node.items("attributes")}
    found = {name: told[name.value].as_text() for name in TEXTS if name.value in told}
    customers = [o.id for o in named if o.kind is ObjectKind.CUSTOMER]
    if len(customers) == 1:
        found[Attribute.CUSTOMER_NO] = customers[0]
    return {name: text for name, text in found.items() if text}
