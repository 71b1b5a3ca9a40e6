"""The lines of Throughline event data (see `event_schema`)."""

from collections.abc import Mapping
from decimal import Decimal

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import EventLine, EventType, Flag, Measure, QuantityMode
from connectors.sdk.parse_event_references import ParsedReferences
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import parse_timestamp

MEASURES: Mapping[str, Measure] = {measure.value: measure for measure in Measure}


def parse_lines(
    data: Node,
    references: ParsedReferences,
    settings: ParsedSettings,
    *,
    known_type: EventType | None,
    is_correction: bool,
) -> tuple[EventLine, ...]:
    """Return the lines. Raises PayloadError for a line that is invalid or given twice."""
    default_mode = _quantity_mode(data, QuantityMode.TOTAL)
    allows_negative = is_correction or (
        known_type is not None and known_type.value.startswith(("return.", "credit."))
    )
    lines: list[EventLine] = []
    packages_by_line: dict[tuple[int, str], list[int]] = {}
    for node in data.list_at("lines"):
        line = _parse_line(node, references, settings, default_mode)
        packages = packages_by_line.setdefault((line.order_index, line.line_id), [])
        # A line is repeated only to say how much of it is in each package.
        if packages and (line.package_index in packages or -1 in (line.package_index, packages[0])):
            raise PayloadError(
                ParkReason.MAPPING, node.path, f"duplicate line {line.line_id[:40]!r}"
            )
        packages.append(line.package_index)
        is_signed = allows_negative or line.quantity_mode is QuantityMode.DELTA
        if not is_signed and any(quantity < 0 for quantity in line.quantities.values()):
            raise PayloadError(ParkReason.QUANTITY, node.path, "a quantity is negative")
        lines.append(line)
    return tuple(lines)


def _parse_line(
    node: Node,
    references: ParsedReferences,
    settings: ParsedSettings,
    default_mode: QuantityMode,
) -> EventLine:
    sku = node.text_at("sku")
    return EventLine(
        line_id=node.text_at("line_id") or sku or node.required_text("line_id"),
        sku=sku,
        description=node.text_at("description"),
        unit=node.text_at("unit") or "EA",
        price=node.decimal_at("price"),
        quantities={
            measure: quantity
            for measure in map(MEASURES.get, node.keys())
            if measure is not None and (quantity := node.decimal_at(measure)) is not None
        },
        order_index=references.order_index(node),
        package_index=references.package_index(node),
        quantity_mode=_quantity_mode(node, default_mode),
        seller=node.text_at("seller"),
        ship_by=date_unchanged_or_time_as_utc_text(node.get("ship_by"), settings),
        requested_at=date_unchanged_or_time_as_utc_text(node.get("requested_at"), settings),
        promised_at=date_unchanged_or_time_as_utc_text(node.get("promised_at"), settings),
        pieces_per_unit=_pieces_per_unit(node),
        serials=_parse_serials(node.get("serials")),
        is_goods=node.boolean_at("goods") or not node.has_value("goods"),
    )


def _pieces_per_unit(node: Node) -> Decimal | None:
    pieces = node.decimal_at("pieces_per_unit")
    if pieces is not None and pieces <= 0:
        path = node.get("pieces_per_unit").path
        raise PayloadError(ParkReason.QUANTITY, path, f"{pieces} is not greater than zero")
    return pieces


def _quantity_mode(node: Node, default: QuantityMode) -> QuantityMode:
    text = node.text_at("quantity_mode")
    if not text:
        return default
    if text not in set(QuantityMode):
        path = node.get("quantity_mode").path
        raise PayloadError(ParkReason.MAPPING, path, f"expected total or delta, got {text[:40]!r}")
    return QuantityMode(text)


def _parse_serials(node: Node) -> tuple[str, ...]:
    nodes = node.as_list() if isinstance(node.value, list) else [node]
    numbers = (blank_if_placeholder(n.as_text()) for n in nodes)
    return tuple(dict.fromkeys(number for number in numbers if number))


def date_unchanged_or_time_as_utc_text(node: Node, settings: ParsedSettings) -> str:
    """Return a date unchanged and a time in UTC."""
    text = node.as_text()
    parsed = parse_timestamp(text, node.path, settings.text("zone") or None)
    if parsed is None:
        return ""
    return text if Flag.DATE_ONLY in parsed.flags else format_rfc3339(parsed.time)
