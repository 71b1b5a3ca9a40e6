"""Units of measure: which codes say the same, and how many base units one of them is."""

from fractions import Fraction

from visibility.timeline.dictionary import Article

# UN/ECE recommendation 20 and what systems write for it: all of them count single pieces.
EACH = frozenset({"EA", "EACH", "PC", "PCS", "PCE", "STK", "UN", "UNIT", "C62", "H87"})


def canonical(unit: str) -> str:
    """One spelling of a unit: `pcs` and `C62` are `EA`."""
    upper = unit.strip().upper()
    return "EA" if upper in EACH or not upper else upper


def factor(article: Article, unit: str) -> Fraction | None:
    """Base units of the article in one `unit`, None where nobody said."""
    if canonical(unit) == canonical(article.unit):
        return Fraction(1)
    known = {canonical(name): value for name, value in article.factors.items()}
    return known.get(canonical(unit))
