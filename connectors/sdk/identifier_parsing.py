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
# Schemes whose numbers are unique without an issuer.
WORLDWIDE_SCHEMES = frozenset(
    {IdentifierScheme.TRACKING, IdentifierScheme.SSCC, IdentifierScheme.CONTAINER}
)
# Schemes whose numbers find an object but do not identify it, unless their issuer is given.
WEAK_WITHOUT_ISSUER = frozenset(
    {
        IdentifierScheme.CUSTOMER_PO,
        IdentifierScheme.BOL,
        IdentifierScheme.PRO,
        IdentifierScheme.REFERENCE,
        IdentifierScheme.SERIAL,
    }
)


def usual_issuer(scheme: IdentifierScheme, source: str) -> str:
    """Return who issues numbers of this scheme if a message of `source` does not say."""
    if scheme is IdentifierScheme.REFERENCE:
        return source  # weak all the same: its meaning is unknown
    return "" if scheme in WORLDWIDE_SCHEMES | WEAK_WITHOUT_ISSUER else source


def can_be_strong(scheme: IdentifierScheme, issuer: str) -> bool:
    """Whether such a number identifies one object: a customer PO only with its customer."""
    return bool(issuer) or scheme not in WEAK_WITHOUT_ISSUER


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
