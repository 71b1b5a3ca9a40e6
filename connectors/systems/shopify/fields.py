"""The fields Shopify's objects share: ids, quantities, lines, times; one event from them."""

from collections.abc import Mapping
from decimal import Decimal

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Identifier,
    Line,
    Measure,
    ObjectKind,
    Ref,
    Scheme,
    identifying,
    iso,
)
from connectors.sdk.payload import Node, PayloadError, Reason
from connectors.sdk.timestamps import Moment, instant


class Shop:
    """What every reader knows: the settings, and whose numbers the shop's own are."""

    def __init__(self, config: Mapping[str, str], source: str) -> None:
        self.config = config
        self.source = source

    def named(self, node: Node, key: str, kind: ObjectKind = ObjectKind.ORDER) -> Ref:
        """An object by the shop's own id."""
        return Ref(kind, (Identifier(Scheme.SOURCE_ID, number(node, key), self.source),))

    def when(self, node: Node, *keys: str) -> Moment | None:
        """The first of these times that is there; Shopify writes an offset with every time."""
        zone = self.config.get("zone") or None
        for key in keys:
            moment = instant(node.text(key), f"{node.path}.{key}".strip("."), zone)
            if moment:
                return moment
        return None

    def revision(self, node: Node) -> str:
        """The version as sortable text: an instant in UTC, whatever offset was written."""
        return stamp(self.when(node, "updated_at"))


def event(
    kind: EventType,
    key: str,
    moment: Moment | None,
    *objects: Ref,
    lines: tuple[Line, ...] = (),
    part: str = "",
    about: Mapping[Attribute, str] | None = None,
    revision: str = "",
    raw: str = "",
) -> CanonicalEvent:
    """An event without the attributes that are blank."""
    return CanonicalEvent(
        type=kind,
        key=key,
        occurred_at=moment.at if moment else None,
        objects=objects,
        lines=lines,
        part=part,
        attributes={name: text for name, text in (about or {}).items() if text},
        revision=revision,
        raw_type=raw,
        flags=moment.flags if moment else (),
    )


def line(item: Node, line_id: str, measure: Measure, amount: Decimal) -> Line:
    """One figure of an order line, with what it is and its price."""
    return Line(
        line_id=line_id,
        sku=item.text("sku"),
        description=item.text("title") or item.text("name"),
        price=item.decimal("price"),
        quantities={measure: amount},
    )


def quantity(item: Node) -> Decimal:
    """The quantity of an item; it must be there and not below zero."""
    path = f"{item.path}.quantity"
    found = item.decimal("quantity")
    if found is None:
        raise PayloadError(Reason.SCHEMA, path, "expected a number, got nothing")
    if found < 0:
        raise PayloadError(Reason.QUANTITY, path, f"{found} is negative")
    return found


def number(node: Node, key: str) -> str:
    """An id; newer webhooks write gid://shopify/Order/1 where older ones write 1."""
    text = node.need(key)
    found = identifying(text.rsplit("/", 1)[-1] if text.startswith("gid://") else text)
    if not found:
        path = f"{node.path}.{key}".strip(".")
        raise PayloadError(Reason.REFERENCE, path, f"{text[:40]!r} is no number")
    return found


def stamp(moment: Moment | None) -> str:
    """A time inside a key or as a revision: sortable, empty where there is none."""
    return iso(moment.at) if moment else ""
