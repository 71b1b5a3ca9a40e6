"""The quantities of an order line in the unit of the order instead of the item's base unit."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from visibility.timeline import Timeline, TimelineLine
from visibility.timeline.claim_line_conflict_types import QuantityClaim
from visibility.timeline.line_quantities_and_flags import round_to_six_decimals
from visibility.timeline.state_and_flag_enums import ComparedField
from visibility.timeline.units import canonical_unit, conversion_factor

# A claim is rounded to six decimals.
TOLERANCE = Fraction(1, 100_000)


def order_unit(line: TimelineLine, timeline: Timeline) -> tuple[str, Fraction] | None:
    """The unit of the order, and the base units in one; None if it is the base unit or not known.

    The order is that of the source which is authoritative for the ordered quantity.
    """
    item = timeline.dictionary.item(line.sku)
    ordered = next(
        (c for c in line.claims if c.field is ComparedField.ORDERED and c.authoritative), None
    )
    if item is None or ordered is None or ordered.value is None or not ordered.reported_value:
        return None
    if canonical_unit(ordered.unit) == canonical_unit(line.unit):
        return None
    reported = Fraction(ordered.value) / Fraction(ordered.reported_value)
    exact = conversion_factor(item, ordered.unit)
    # The item may have changed since the order: then its present factor is not the one used.
    is_exact = exact and abs(exact - reported) * Fraction(ordered.reported_value) <= TOLERANCE
    factor = exact if exact and is_exact else reported
    return (ordered.unit, factor) if factor > 0 else None


def line_in_order_unit(line: TimelineLine, timeline: Timeline) -> TimelineLine:
    """The line with all its quantities and its price in the unit of the order, if it is known."""
    known = order_unit(line, timeline)
    if known is None:
        return line
    unit, factor = known

    def converted(quantity: Decimal) -> Decimal:
        return _rounded(Fraction(quantity) / factor)

    def converted_claim(claim: QuantityClaim) -> QuantityClaim:
        if claim.value is None or claim.field is ComparedField.PRICE:
            return claim
        return claim._replace(value=converted(claim.value))

    return replace(
        line,
        unit=unit,
        quantities={measure: converted(quantity) for measure, quantity in line.quantities.items()},
        price=None if line.price is None else _rounded(Fraction(line.price) * factor),
        claims=tuple(converted_claim(claim) for claim in line.claims),
        short_cancelled=converted(line.short_cancelled),
    )


def _rounded(number: Fraction) -> Decimal:
    return round_to_six_decimals(Decimal(number.numerator) / Decimal(number.denominator))
