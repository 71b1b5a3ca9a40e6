"""What each system claims of an order, field by field, and where they contradict each other."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from connectors.sdk.events import Attribute, plain
from visibility.screens.orders.suppressed_conflicts import Held
from visibility.timeline import Claim, Conflict, Line, Promise, Timeline, days
from visibility.timeline.authority import RANKS
from visibility.timeline.claims import Contender, Said
from visibility.timeline.enums import Field
from visibility.timeline.lines import rounded

Names = Mapping[str, tuple[str, datetime]]
TITLES: Mapping[Field, str] = {
    Field.STATUS: "Stands at",
    Field.PROMISED_AT: "Promised date",
    Field.PRICE: "Price",
    Field.BACKORDERED: "Back-ordered",
}
# Rows of the matrix that are shown at once; those in conflict come first.
ROWS = 200


@dataclass(frozen=True, slots=True)
class Cell:
    """One system's claim. `counts`: it is believed; `differs`: it is part of a conflict."""

    system: str
    value: str
    at: datetime | None
    counts: bool = False
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One field of the order, or of one of its lines, and a cell for each system."""

    title: str
    line: str
    cells: tuple[Cell, ...]
    differs: bool


@dataclass(frozen=True, slots=True)
class Matrix:
    """Field x system."""

    systems: tuple[tuple[str, str, str, datetime], ...]
    rows: tuple[Row, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A conflict as the page tells it."""

    sentence: str
    about: str
    opened_at: datetime
    age: timedelta
    money: Decimal | None
    currency: str
    owner: str


@dataclass(frozen=True, slots=True)
class Word:
    """One line of the promise ledger."""

    kind: str
    source: str
    promise: Promise
    days: int


def title(field: Field) -> str:
    """A field as people say it."""
    return TITLES.get(field, field.value.capitalize())


def matrix(timeline: Timeline, names: Names, *, prices: bool) -> Matrix:
    """Who claims what, the fields in conflict first."""
    claims = timeline.claims
    contested = {(c.field, c.line_key) for c in timeline.conflicts}
    rows = [*_of_order(timeline, names, contested)]
    currency = timeline.attributes.get(Attribute.CURRENCY, "")
    for line in timeline.lines:
        rows += _of_line(line, claims, names, contested, prices=prices, currency=currency)
    rows.sort(key=lambda row: not row.differs)
    systems = tuple(
        (_name(c.source, names), c.role.value.replace("_", " "), c.word, c.at) for c in claims
    )
    return Matrix(systems, tuple(rows[:ROWS]), max(len(rows) - ROWS, 0))


def _name(source: str, names: Names) -> str:
    return names[source][0] if source in names else source


def _of_order(
    timeline: Timeline, names: Names, contested: Collection[tuple[Field, str]]
) -> Iterator[Row]:
    told: tuple[tuple[Field, Mapping[str, str]], ...] = (
        (Field.STATUS, {c.source: c.stands for c in timeline.claims if c.stands}),
        (Field.PROMISED_AT, {c.source: _day(c.promised) for c in timeline.claims if c.promised}),
    )
    for field, words in told:
        ranked = {c.source: RANKS[field][c.role] for c in timeline.claims if c.source in words}
        best = min(ranked.values(), default=0)
        differs = (field, "") in contested
        cells = tuple(
            Cell(
                system=_name(claim.source, names),
                value=words.get(claim.source, ""),
                at=claim.at if claim.source in words else None,
                counts=ranked.get(claim.source) == best,
                differs=differs and claim.source in words,
            )
            for claim in timeline.claims
        )
        if words:
            yield Row(title(field), "", cells, differs)


def _of_line(
    line: Line,
    claims: Collection[Claim],
    names: Names,
    contested: Collection[tuple[Field, str]],
    *,
    prices: bool,
    currency: str,
) -> Iterator[Row]:
    by_field: dict[Field, dict[str, Said]] = {}
    for said in line.said:
        if prices or said.field is not Field.PRICE:
            by_field.setdefault(said.field, {})[said.source] = said
    for field in Field:
        told = by_field.get(field)
        if told:
            differs = (field, line.key) in contested
            cells = tuple(
                _cell(_name(c.source, names), told.get(c.source), differs=differs) for c in claims
            )
            of = f", {currency}" if field is Field.PRICE and currency else ""
            yield Row(title(field) + of, line.sku or line.key, cells, differs)


def _cell(system: str, said: Said | None, *, differs: bool) -> Cell:
    if said is None:
        return Cell(system, "", None)
    return Cell(system, figure(said), said.at, said.counts, differs)


def figure(said: Said) -> str:
    """`52.9`, `52.9 (52900 EA)` where the source counts in another unit, `1 PAL` alone."""
    if said.value is None:
        return f"{plain(said.own)} {said.unit}"
    if said.value == said.own:
        return plain(said.value)
    per = " per " if said.field is Field.PRICE else " "
    return f"{plain(rounded(said.value))} ({plain(said.own)}{per}{said.unit})"


def differences(timeline: Timeline, names: Names, *, prices: bool) -> tuple[Difference, ...]:
    """The open conflicts, the oldest first; those about prices for those who may see them."""
    skus = {line.key: line.sku or line.key for line in timeline.lines}
    found = [
        Difference(
            sentence=sentence(conflict, names),
            about=skus.get(conflict.line_key, ""),
            opened_at=conflict.opened_at,
            age=timeline.as_of - conflict.opened_at,
            money=conflict.money,
            currency=conflict.currency,
            owner=conflict.owner,
        )
        for conflict in timeline.conflicts
        if prices or conflict.field is not Field.PRICE
    ]
    return tuple(sorted(found, key=lambda d: (d.opened_at, d.about, d.sentence)))


def waiting(held: Collection[Held], names: Names, *, prices: bool) -> tuple[tuple[str, str], ...]:
    """Those that wait for a feed: what differs, and for whom."""
    return tuple(
        (sentence(h.conflict, names), " and ".join(gap.words for gap in h.gaps))
        for h in held
        if prices or h.conflict.field is not Field.PRICE
    )


def sentence(conflict: Conflict, names: Names) -> str:
    """`Shipped: 3PL North says 8, ERP says 0`."""
    sides = ", ".join(
        f"{_name(c.source, names)} says {_said(c, conflict)}" for c in conflict.claims
    )
    return f"{title(conflict.field)}: {sides}"


def _said(side: Contender, conflict: Conflict) -> str:
    if conflict.field is Field.PROMISED_AT:
        return _day(side.value)
    if conflict.field is Field.PRICE:
        return f"{side.value} {conflict.currency}".rstrip()
    return side.value


def _day(text: str) -> str:
    """A date as the promise ledger writes it; what is none stays as it was told."""
    try:
        return days.said(date.fromisoformat(text[:10]))
    except ValueError:
        return text


def ledger(timeline: Timeline, names: Names) -> tuple[Word, ...]:
    """The promise ledger."""
    kinds = {"requested": "Asked for", "first": "Promised", "moved": "Moved"}
    return tuple(
        Word(
            kind=kinds[promise.kind],
            source=_name(promise.source, names),
            promise=promise,
            days=(promise.date.date() - promise.old.date()).days if promise.old else 0,
        )
        for promise in timeline.promises
    )
