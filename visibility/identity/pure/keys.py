"""The numbers of references in normal form, and for how long each kind of number is silent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from connectors.sdk.events import Identifier, ObjectKind, Ref, Scheme
from connectors.sdk.normalization import names_something, normalise, sound

# (kind, scheme, issuer, normal value): what a strong identifier is compared by.
Number = tuple[str, str, str, str]
# Carriers and packers use their numbers again; a longer silence than this ends a use of one.
# GS1 forbids an SSCC's second use within a year of shipping, postal services a number's within 120
# days of the label: both less what the goods may have been under way.
RECYCLED: Mapping[Scheme, timedelta] = {
    Scheme.TRACKING: timedelta(days=90),
    Scheme.PRO: timedelta(days=180),
    Scheme.BOL: timedelta(days=180),
    Scheme.SSCC: timedelta(days=270),
}


@dataclass(frozen=True, slots=True)
class Periods:
    """How long a number must be silent until its next use names something else."""

    of_source: Mapping[tuple[str, str], timedelta]

    def of(self, number: Number) -> timedelta | None:
        """The silence that ends a use of this number; None: it is never used again."""
        _, scheme, issuer, _ = number
        return self.of_source.get((issuer.rstrip("?"), scheme)) or RECYCLED.get(Scheme(scheme))


def numbers_of(ref: Ref, slug: str) -> tuple[tuple[Number, ...], tuple[Number, ...]]:
    """The strong and the weak numbers of one reference; a value that names nothing is none."""
    usable = [_sure(i) for i in ref.identifiers if names_something(i.value)]
    if usable and not any(i.strong for i in usable):
        # Nothing but weak numbers: within its own source such a number is one object's.
        usable = [replace(i, issuer=f"{slug}?", strong=True) for i in usable]
    return (
        tuple(dict.fromkeys(number_of(ref.kind, i) for i in usable if i.strong)),
        tuple(dict.fromkeys(number_of(ref.kind, i) for i in usable if not i.strong)),
    )


def _sure(identifier: Identifier) -> Identifier:
    """A number whose check digit is wrong was misread: it may suggest, never join."""
    if identifier.strong and not sound(identifier.scheme, identifier.value):
        return replace(identifier, strong=False)
    return identifier


def number_of(kind: ObjectKind, identifier: Identifier) -> Number:
    """One identifier in normal form."""
    value = normalise(identifier.scheme, identifier.value)
    return (kind.value, identifier.scheme.value, identifier.issuer, value)


def written(ref: Ref, slug: str) -> Iterable[tuple[Number, str]]:
    """Each number of a reference beside the way it was written."""
    for identifier in ref.identifiers:
        number = number_of(ref.kind, identifier)
        yield number, identifier.value[:250]
        yield (number[0], number[1], f"{slug}?", number[3]), identifier.value[:250]
