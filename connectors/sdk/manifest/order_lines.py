"""Build the order lines of a manifest's records."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from connectors.sdk.events import EventLine, Measure
from connectors.sdk.manifest.definition import LinesRule
from connectors.sdk.manifest.operators import ValueOperator, read_number
from connectors.sdk.manifest.paths import Scope
from connectors.sdk.payload import ParkReason, PayloadError


def build_line(rule: LinesRule, scope: Scope, quantities: Mapping[Measure, Decimal]) -> EventLine:
    """Build one line with these quantities. Raises PayloadError without an id."""
    line_id = rule.line_id.evaluate(scope)
    if not line_id:
        raise PayloadError(ParkReason.SCHEMA, scope.node.path, "the line has no id")
    return EventLine(
        line_id=line_id,
        sku=_optional_text(rule.sku, scope),
        description=_optional_text(rule.description, scope),
        unit=_optional_text(rule.unit, scope) or "EA",
        price=read_number(rule.price, scope) if rule.price else None,
        quantities=quantities,
        is_goods=rule.goods_condition.holds(scope),
    )


def add_quantities_of_repeated_line(
    existing: EventLine | None, line: EventLine, scope: Scope
) -> EventLine:
    """Add the quantities of a line that appears again, such as in another carton."""
    if existing is None:
        return line
    if (existing.sku, existing.unit) != (line.sku, line.unit):
        detail = f"line {line.line_id[:40]!r} appears with another item or unit"
        raise PayloadError(ParkReason.MAPPING, scope.node.path, detail)
    zero = Decimal(0)
    measures = dict.fromkeys((*existing.quantities, *line.quantities))
    quantities = {
        m: existing.quantities.get(m, zero) + line.quantities.get(m, zero) for m in measures
    }
    return replace(existing, quantities=quantities)


def _optional_text(value: ValueOperator | None, scope: Scope) -> str:
    return value.evaluate(scope) if value else ""
