"""Build references to business objects from the numbers in a payload."""

from collections.abc import Iterable, Iterator

from connectors.sdk.events import EventIdentifier, IdentifierScheme, ObjectKind, ObjectReference
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import (
    WORLDWIDE_SCHEMES,
    blank_if_placeholder,
    can_be_strong,
)

Number = tuple[IdentifierScheme, str, str]


def build_reference_or_none(kind: ObjectKind, *numbers: Number) -> ObjectReference | None:
    """Reference an object by numbers (scheme, value, issuer); None if all are placeholders."""
    identifiers = tuple(
        EventIdentifier(
            scheme,
            known,
            "" if scheme in WORLDWIDE_SCHEMES else issuer,
            strong=scheme in WORLDWIDE_SCHEMES or can_be_strong(scheme, issuer),
        )
        for scheme, value, issuer in numbers
        if (known := blank_if_placeholder(value))
    )
    return ObjectReference(kind, identifiers) if identifiers else None


def build_reference(kind: ObjectKind, path: str, *numbers: Number) -> ObjectReference:
    """Reference an object. Raises PayloadError with `path` if all its numbers are placeholders."""
    reference = build_reference_or_none(kind, *numbers)
    if reference is None:
        raise PayloadError(ParkReason.REFERENCE, path, f"the {kind.value} has no number")
    return reference


def package_references(tracking_numbers: Iterable[str]) -> Iterator[ObjectReference]:
    """Yield one package per tracking number."""
    for number in dict.fromkeys(map(blank_if_placeholder, tracking_numbers)):
        if number:
            yield ObjectReference(
                ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.TRACKING, number),)
            )
