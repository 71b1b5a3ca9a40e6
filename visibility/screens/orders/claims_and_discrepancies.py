"""Compare what each system reports about an order, field by field, and list the discrepancies."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from connectors.sdk.event_codec import format_decimal
from connectors.sdk.events import Attribute
from visibility.formatting import format_date
from visibility.screens.orders.suppress_conflicts_if_silent import SuppressedConflict
from visibility.timeline import Claim, Promise, Timeline, TimelineConflict, TimelineLine
from visibility.timeline.authority import RANKS
from visibility.timeline.claim_line_conflict_types import ConflictClaim, QuantityClaim
from visibility.timeline.line_quantities_and_flags import round_to_six_decimals
from visibility.timeline.state_and_flag_enums import ComparedField

SourceTitles = Mapping[str, tuple[str, datetime]]
FIELD_LABELS: Mapping[ComparedField, str] = {
    ComparedField.STATUS: "Status",
    ComparedField.PROMISED_AT: "Promised date",
    ComparedField.PRICE: "Price",
    ComparedField.BACKORDERED: "Back-ordered",
}
# Maximum number of rows of the comparison; rows with a discrepancy come first.
MAX_ROWS = 200


@dataclass(frozen=True, slots=True)
class ComparisonCell:
    """The value one system reports for one field.

    `is_authoritative`: the system is the system of record for the field. `differs`: the value is
    part of a discrepancy.
    """

    system: str
    value: str
    at: datetime | None
    is_authoritative: bool = False
    differs: bool = False


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One field of the order or of one of its lines, with one cell per system."""

    title: str
    line: str
    cells: tuple[ComparisonCell, ...]
    differs: bool


@dataclass(frozen=True, slots=True)
class SystemComparison:
    """The comparison of fields (rows) by system (columns).

    A system is (title, role, status text, time of its last update). `hidden_rows` is the number of
    rows that are not shown.
    """

    systems: tuple[tuple[str, str, str, datetime], ...]
    rows: tuple[ComparisonRow, ...]
    hidden_rows: int


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """An open discrepancy as the page shows it."""

    sentence: str
    sku: str
    opened_at: datetime
    age: timedelta
    value_at_risk: Decimal | None
    currency: str
    owner: str


@dataclass(frozen=True, slots=True)
class PromiseChange:
    """One entry of the promise date history. `days` is the change in days."""

    kind: str
    source: str
    promise: Promise
    days_later: int


def field_label(field: ComparedField) -> str:
    """The label of a field."""
    return FIELD_LABELS.get(field, field.value.capitalize())


def system_comparison(timeline: Timeline, names: SourceTitles, *, prices: bool) -> SystemComparison:
    """Compare the claims of all systems, fields with a discrepancy first."""
    claims = timeline.claims
    contested = {(c.field, c.line_key) for c in timeline.conflicts}
    rows = [*_order_comparison_rows(timeline, names, contested)]
    currency = timeline.attributes.get(Attribute.CURRENCY, "")
    for line in timeline.lines:
        rows += _line_comparison_rows(
            line, claims, names, contested, prices=prices, currency=currency
        )
    rows.sort(key=lambda row: not row.differs)
    systems = tuple(
        (_source_title(c.source, names), c.role.value.replace("_", " "), c.status_text, c.at)
        for c in claims
    )
    return SystemComparison(systems, tuple(rows[:MAX_ROWS]), max(len(rows) - MAX_ROWS, 0))


def _source_title(source: str, names: SourceTitles) -> str:
    return names[source][0] if source in names else source


def _order_comparison_rows(
    timeline: Timeline, names: SourceTitles, contested: Collection[tuple[ComparedField, str]]
) -> Iterator[ComparisonRow]:
    fields: tuple[tuple[ComparedField, Mapping[str, str]], ...] = (
        (ComparedField.STATUS, {c.source: c.order_state for c in timeline.claims if c.order_state}),
        (
            ComparedField.PROMISED_AT,
            {
                c.source: _format_date_else_return_text(c.promised)
                for c in timeline.claims
                if c.promised
            },
        ),
    )
    for field, values in fields:
        ranks = {c.source: RANKS[field][c.role] for c in timeline.claims if c.source in values}
        best_rank = min(ranks.values(), default=0)
        differs = (field, "") in contested
        cells = tuple(
            ComparisonCell(
                system=_source_title(claim.source, names),
                value=values.get(claim.source, ""),
                at=claim.at if claim.source in values else None,
                is_authoritative=ranks.get(claim.source) == best_rank,
                differs=differs and claim.source in values,
            )
            for claim in timeline.claims
        )
        if values:
            yield ComparisonRow(field_label(field), "", cells, differs)


def _line_comparison_rows(
    line: TimelineLine,
    claims: Collection[Claim],
    names: SourceTitles,
    contested: Collection[tuple[ComparedField, str]],
    *,
    prices: bool,
    currency: str,
) -> Iterator[ComparisonRow]:
    by_field: dict[ComparedField, dict[str, QuantityClaim]] = {}
    for claim in line.claims:
        if prices or claim.field is not ComparedField.PRICE:
            by_field.setdefault(claim.field, {})[claim.source] = claim
    for field in ComparedField:
        reported = by_field.get(field)
        if reported:
            differs = (field, line.key) in contested
            cells = tuple(
                _build_comparison_cell(
                    _source_title(c.source, names), reported.get(c.source), differs=differs
                )
                for c in claims
            )
            suffix = f", {currency}" if field is ComparedField.PRICE and currency else ""
            yield ComparisonRow(field_label(field) + suffix, line.sku or line.key, cells, differs)


def _build_comparison_cell(
    system: str, claim: QuantityClaim | None, *, differs: bool
) -> ComparisonCell:
    if claim is None:
        return ComparisonCell(system, "", None)
    return ComparisonCell(
        system, format_value_with_reported_unit(claim), claim.at, claim.authoritative, differs
    )


def format_value_with_reported_unit(claim: QuantityClaim) -> str:
    """Format a reported quantity or price.

    `52.9`; `52.9 (52900 EA)` if the source uses another unit; `1 PAL` if the unit is unknown.
    """
    if claim.value is None:
        return f"{format_decimal(claim.reported_value)} {claim.unit}"
    if claim.value == claim.reported_value:
        return format_decimal(claim.value)
    separator = " per " if claim.field is ComparedField.PRICE else " "
    converted = format_decimal(round_to_six_decimals(claim.value))
    return f"{converted} ({format_decimal(claim.reported_value)}{separator}{claim.unit})"


def discrepancies(
    timeline: Timeline, names: SourceTitles, *, prices: bool
) -> tuple[Discrepancy, ...]:
    """The open discrepancies, oldest first; prices only if `prices` is true."""
    skus = {line.key: line.sku or line.key for line in timeline.lines}
    visible_conflicts = [
        Discrepancy(
            sentence=conflict_sentence(conflict, names),
            sku=skus.get(conflict.line_key, ""),
            opened_at=conflict.opened_at,
            age=timeline.as_of - conflict.opened_at,
            value_at_risk=conflict.money,
            currency=conflict.currency,
            owner=conflict.owner,
        )
        for conflict in timeline.conflicts
        if prices or conflict.field is not ComparedField.PRICE
    ]
    return tuple(sorted(visible_conflicts, key=lambda d: (d.opened_at, d.sku, d.sentence)))


def suppressed_conflict_and_silent_source_texts(
    suppressed: Collection[SuppressedConflict], names: SourceTitles, *, prices: bool
) -> tuple[tuple[str, str], ...]:
    """(sentence, sources waited for) of each discrepancy suppressed until a source catches up."""
    return tuple(
        (conflict_sentence(h.conflict, names), " and ".join(gap.text for gap in h.gaps))
        for h in suppressed
        if prices or h.conflict.field is not ComparedField.PRICE
    )


def conflict_sentence(conflict: TimelineConflict, names: SourceTitles) -> str:
    """`Shipped: 3PL North reports 8, ERP reports 0`."""
    sides = ", ".join(
        f"{_source_title(c.source, names)} reports {_format_claimed_value(c, conflict)}"
        for c in conflict.claims
    )
    return f"{field_label(conflict.field)}: {sides}"


def _format_claimed_value(claim: ConflictClaim, conflict: TimelineConflict) -> str:
    if conflict.field is ComparedField.PROMISED_AT:
        return _format_date_else_return_text(claim.value)
    if conflict.field is ComparedField.PRICE:
        return f"{claim.value} {conflict.currency}".rstrip()
    return claim.value


def _format_date_else_return_text(text: str) -> str:
    """A date such as `Thu, Mar 5`; text that is not a date is returned unchanged."""
    try:
        return format_date(date.fromisoformat(text[:10]))
    except ValueError:
        return text


def promise_history(timeline: Timeline, names: SourceTitles) -> tuple[PromiseChange, ...]:
    """The promise date history, in the order the dates were reported."""
    kinds = {
        "requested": "Requested",
        "first": "Promised",
        "moved": "Changed",
        "ship_by": "Ship-by date",
    }
    return tuple(
        PromiseChange(
            kind=kinds[promise.kind],
            source=_source_title(promise.source, names),
            promise=promise,
            days_later=(promise.date.date() - promise.old.date()).days if promise.old else 0,
        )
        for promise in timeline.promises
    )
