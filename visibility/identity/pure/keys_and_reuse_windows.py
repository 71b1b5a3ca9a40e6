"""Identifier keys: the normal form of the numbers in references, and when numbers are reused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from connectors.sdk.events import EventIdentifier, IdentifierScheme, ObjectKind, ObjectReference
from connectors.sdk.identifier_normalization import (
    has_valid_check_digit,
    is_not_placeholder,
    normalize_identifier,
)

# (object kind, scheme, issuer, normalized value). Two identifiers are equal if their keys are.
IdentifierKey = tuple[str, str, str, str]
# Carriers and packers reuse their numbers: after this long without an event, a number names a new
# object. GS1 forbids reuse of an SSCC within a year of shipping; postal services forbid reuse of a
# number within 120 days of the label. Both periods are reduced here by the possible transit time.
DEFAULT_WINDOWS: Mapping[IdentifierScheme, timedelta] = {
    IdentifierScheme.TRACKING: timedelta(days=90),
    IdentifierScheme.PRO: timedelta(days=180),
    IdentifierScheme.BOL: timedelta(days=180),
    IdentifierScheme.SSCC: timedelta(days=270),
}
# Numbers that an issuer gives to one object only: two of them are two objects.
EXCLUSIVE_SCHEMES = frozenset(
    {
        IdentifierScheme.SOURCE_ID,
        IdentifierScheme.SALES_ORDER,
        IdentifierScheme.WEB_ORDER,
        IdentifierScheme.ORDER_NUMBER,
        IdentifierScheme.DELIVERY,
        IdentifierScheme.SHIPMENT,
        IdentifierScheme.INVOICE,
        IdentifierScheme.CREDIT_MEMO,
        IdentifierScheme.RMA,
    }
)
# Given by others than the owner of the object, or for several objects at once.
WEAK_SCHEMES = frozenset({IdentifierScheme.CUSTOMER_PO, IdentifierScheme.BOL, IdentifierScheme.PRO})


def is_exclusive(key: IdentifierKey) -> bool:
    """Whether an object has at most one such number of the issuer."""
    return key[1] in EXCLUSIVE_SCHEMES


def strength_rank(key: IdentifierKey) -> int:
    """Return how surely equal numbers name the same object: 0 is a system's own id, 2 the weakest.

    A number connects two objects only if no number of its rank or a stronger one tells them apart.
    """
    if key[1] == IdentifierScheme.SOURCE_ID:
        return 0
    return 2 if key[1] in WEAK_SCHEMES else 1


@dataclass(frozen=True, slots=True)
class ReuseWindows:
    """How long a number must be without events until it names a new object."""

    by_source: Mapping[tuple[str, str], timedelta]

    def reuse_window_of_key(self, key: IdentifierKey) -> timedelta | None:
        """Return the reuse window of this number; None: the number is never reused.

        A number without an issuer, such as a tracking number, has the longest window that a source
        sets for its scheme.
        """
        _, scheme, issuer, _ = key
        if issuer:
            own = self.by_source.get((issuer.rstrip("?"), scheme))
        else:
            own = max((w for (_, s), w in self.by_source.items() if s == scheme), default=None)
        return own or DEFAULT_WINDOWS.get(IdentifierScheme(scheme))


def identity_and_other_keys(
    ref: ObjectReference, slug: str
) -> tuple[tuple[IdentifierKey, ...], tuple[IdentifierKey, ...]]:
    """Return the identities and the other identifiers of one reference, without placeholders.

    An identity (a strong identifier) names exactly one object.
    """
    usable = [
        _weaken_if_check_digit_invalid(i) for i in ref.identifiers if is_not_placeholder(i.value)
    ]
    if usable and not any(i.strong for i in usable):
        # Without an identity, the identifiers are identities within their own source.
        usable = [replace(i, issuer=f"{slug}?", strong=True) for i in usable]
    return (
        tuple(dict.fromkeys(identifier_key(ref.kind, i) for i in usable if i.strong)),
        tuple(dict.fromkeys(identifier_key(ref.kind, i) for i in usable if not i.strong)),
    )


def _weaken_if_check_digit_invalid(identifier: EventIdentifier) -> EventIdentifier:
    """Treat a number with a wrong check digit as misread: it is no identity."""
    if identifier.strong and not has_valid_check_digit(identifier.scheme, identifier.value):
        return replace(identifier, strong=False)
    return identifier


def identifier_key(kind: ObjectKind, identifier: EventIdentifier) -> IdentifierKey:
    """Return the key of one identifier."""
    value = normalize_identifier(identifier.scheme, identifier.value)
    return (kind.value, identifier.scheme.value, identifier.issuer, value)


def keys_and_original_spellings(
    ref: ObjectReference, slug: str
) -> Iterable[tuple[IdentifierKey, str]]:
    """Yield (key, original spelling) for each identifier of a reference."""
    for identifier in ref.identifiers:
        key = identifier_key(ref.kind, identifier)
        yield key, identifier.value[:250]
        yield (key[0], key[1], f"{slug}?", key[3]), identifier.value[:250]
