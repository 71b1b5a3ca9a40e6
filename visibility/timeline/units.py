"""Units of measure: synonymous codes and conversion factors."""

from decimal import Decimal
from fractions import Fraction

from visibility.timeline.master_data_dictionary import ItemDefinition

# Codes for single pieces: UN/ECE Recommendation 20 and common spellings.
EACH = frozenset({"EA", "EACH", "PC", "PCS", "PCE", "STK", "UN", "UNIT", "C62", "H87"})


def canonical_unit(unit: str) -> str:
    """The canonical code of a unit: `EA` for `pcs` and `C62`."""
    upper = unit.strip().upper()
    return "EA" if upper in EACH or not upper else upper


def conversion_factor(article: ItemDefinition, unit: str) -> Fraction | None:
    """Base units of the item in one `unit`, None if unknown."""
    if canonical_unit(unit) == canonical_unit(article.unit):
        return Fraction(1)
    factors = {canonical_unit(name): value for name, value in article.factors.items()}
    return factors.get(canonical_unit(unit))


def fraction_of_progress(done: Decimal | Fraction, due: Decimal | Fraction) -> Decimal:
    """The done part of the due quantity."""
    if isinstance(done, Decimal) and isinstance(due, Decimal):
        return done / due
    share = Fraction(done) / Fraction(due)
    return Decimal(share.numerator) / Decimal(share.denominator)
