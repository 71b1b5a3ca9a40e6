"""Placeholders that systems send instead of a number, and the setting for number ranges."""

from connectors.sdk.events import IdentifierScheme

# Texts that people and systems write when there is no number.
PLACEHOLDERS = frozenset(
    {"", "n/a", "na", "nil", "none", "null", "pickup", "tba", "tbd", "undefined", "unknown"}
)


def blank_if_placeholder(text: str) -> str:
    """Return the trimmed number, or "" for a placeholder such as `N/A`, `TBD`, `-`, `0`."""
    trimmed = text.strip()
    if trimmed.casefold() in PLACEHOLDERS or not trimmed.strip("0-._/#* "):
        return ""
    return trimmed


SCHEMES = frozenset(IdentifierScheme)


def parse_scheme_and_issuer(
    setting: str, default: tuple[IdentifierScheme, str]
) -> tuple[IdentifierScheme, str]:
    """Parse a setting such as `sales_order@erp` into (scheme, issuer). Raises ValueError."""
    if not setting.strip():
        return default
    scheme, separator, issuer = (piece.strip() for piece in setting.partition("@"))
    if not separator or not issuer:
        raise ValueError(
            f"{setting!r} is not of the form scheme@source, for example sales_order@erp"
        )
    if scheme not in SCHEMES:
        raise ValueError(
            f"{scheme!r} is not a scheme; choose from {', '.join(sorted(IdentifierScheme))}"
        )
    return IdentifierScheme(scheme), issuer
