"""Results of release checks for pages, the API and files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from django.db.models import QuerySet

from visibility.export.table_files import TableOfFile, write_csv_table
from visibility.formatting import count_with_noun, format_number
from visibility.models.release_checks import (
    CHECK_IN_PROGRESS,
    ReleaseCheck,
    ReleaseCheckMessage,
    ReleaseCheckOrder,
    ReleaseCheckState,
)
from visibility.models.rules_clocks_and_calendars import SlaRule
from visibility.release_checks.order_differences import (
    DifferenceChange,
    DifferenceKind,
    OrderDifference,
)

PAGE_SIZE = 50
# So many differences and messages of an order are shown on a page; files have all.
MAX_SHOWN, MAX_MESSAGES = 12, 5
KIND_LABELS = {
    DifferenceKind.MILESTONE: "Milestones",
    DifferenceKind.QUANTITY: "Lines and quantities",
    DifferenceKind.STATE: "States",
    DifferenceKind.NUMBER: "Numbers",
    DifferenceKind.DETAIL: "Details and promises",
    DifferenceKind.SHIPMENT: "Shipments",
    DifferenceKind.ALERT: "Alerts and due times",
    DifferenceKind.KPI: "KPIs",
    DifferenceKind.IDENTITY: "Numbers that lead to another order",
}
CHANGE_LABELS = {
    DifferenceChange.ADDED: "added",
    DifferenceChange.REMOVED: "removed",
    DifferenceChange.CHANGED: "changed",
    DifferenceChange.MOVED: "moved",
    DifferenceChange.OPENS: "alert opens",
    DifferenceChange.CLOSES: "alert closes",
    DifferenceChange.DUE_MOVED: "due time changes",
    DifferenceChange.LATE_ADDED: "counted as late",
    DifferenceChange.LATE_REMOVED: "no longer counted as late",
}
MESSAGE_CHANGES = {
    "newly_parked": "Newly parked",
    "newly_read": "No longer parked",
    "other_reason": "Parked for another reason",
}
STATE_LABELS = {
    ReleaseCheckState.WAITING: ("waiting", "Waiting"),
    ReleaseCheckState.RUNNING: ("running", "Running"),
    ReleaseCheckState.READY: ("ok", "Ready"),
    ReleaseCheckState.FAILED: ("late", "Failed"),
    ReleaseCheckState.CANCELED: ("unknown", "Canceled"),
}


@dataclass(frozen=True, slots=True)
class TagCount:
    """How many orders have a difference of one kind: a row of the summary, which selects them."""

    tag: str
    item: str
    change: str
    orders: int


def list_checks(*, before: int | None = None, limit: int = PAGE_SIZE) -> list[ReleaseCheck]:
    """Return checks, newest first, without their messages and texts."""
    rows = all_checks()
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows[:limit])


def find_check(check_id: int) -> ReleaseCheck | None:
    """Return one check, or None."""
    return all_checks().filter(pk=min(check_id, 2**63 - 1)).first()


def all_checks() -> "QuerySet[ReleaseCheck]":
    """The checks, newest first, without their texts and message ids."""
    rows = ReleaseCheck.objects.select_related(
        "source", "manifest", "requested_by", "promoted_by", "rolled_back_by"
    )
    return rows.defer("text", "message_ids").order_by("-pk")


def check_orders(check: ReleaseCheck, tag: str = "") -> "QuerySet[ReleaseCheckOrder]":
    """The orders that differ, or those with this tag, by position."""
    rows = ReleaseCheckOrder.objects.filter(check_run=check).order_by("position")
    return rows.filter(tags__contains=[tag]) if tag else rows


def check_messages(check: ReleaseCheck, change: str = "") -> "QuerySet[ReleaseCheckMessage]":
    """The messages that would be parked otherwise, or those with this change, by id."""
    rows = ReleaseCheckMessage.objects.filter(check_run=check).order_by("message_id")
    return rows.filter(change=change) if change else rows


def differences_of_order(row: ReleaseCheckOrder) -> list[OrderDifference]:
    """Its differences."""
    return [OrderDifference.from_json(texts) for texts in row.differences]


def is_in_progress(check: ReleaseCheck) -> bool:
    """Whether it waits or runs."""
    return check.state in CHECK_IN_PROGRESS


def kind_counts(check: ReleaseCheck) -> list[TagCount]:
    """How many orders differ in each kind."""
    tags = check.summary.get("tags", {})
    return [
        TagCount(kind.value, label, "", tags[kind.value])
        for kind, label in KIND_LABELS.items()
        if kind.value in tags
    ]


def change_counts(check: ReleaseCheck, kind: DifferenceKind) -> list[TagCount]:
    """How many orders have each change of each item of this kind."""
    titles = _rule_titles() if kind is DifferenceKind.ALERT else {}
    rows = []
    for tag, orders in check.summary.get("tags", {}).items():
        prefix, _, remainder = tag.partition(":")
        item, _, change = remainder.rpartition(":")
        if prefix == kind.value and item and change in set(DifferenceChange):
            label = CHANGE_LABELS[DifferenceChange(change)]
            rows.append(TagCount(tag, titles.get(item, item.replace("_", " ")), label, orders))
    return rows


def summary_sentence(check: ReleaseCheck) -> str:
    """What the check found, in one or two sentences."""
    if check.state != ReleaseCheckState.READY:
        return check.detail
    orders, summary = check.summary.get("orders", 0), check.summary
    start = f"{count_with_noun(check.selected, 'message')} read with the {check.reader}"
    affected = count_with_noun(summary.get("affected", 0), "order")
    if not orders:
        return f"{start}: none of the {affected} that they affect would change."
    return f"{start}: {format_number(orders)} of {affected} that they affect would change."


def limit_sentences(check: ReleaseCheck) -> list[str]:
    """What the check left out, one sentence each."""
    sentences = []
    readable = check.available - check.without_body
    if check.selected < readable:
        sentences.append(
            f"The period has {count_with_noun(readable, 'message')} that can be read. Only the "
            f"newest {format_number(check.selected)} were read: choose a shorter period for all."
        )
    if check.without_body:
        sentences.append(
            f"{count_with_noun(check.without_body, 'message')} of the period cannot be read again, "
            "because retention removed what they contained. Their events stay as stored."
        )
    if failed := check.summary.get("failed_kpis"):
        sentences.append(f"These KPIs could not be computed for some orders: {', '.join(failed)}.")
    return sentences


def write_csv(check: ReleaseCheck, file: IO[bytes]) -> None:
    """All differences, one a line, then the KPIs, then the messages."""
    heading: Sequence[tuple[str, str | int]] = (
        ("Release check", check.pk),
        ("Source", check.source.slug),
        ("Read with", check.reader),
        ("From", check.since.isoformat()),
        ("To", check.until.isoformat()),
        ("Messages read", check.selected),
        ("Orders that differ", check.summary.get("orders", 0)),
    )
    orders = TableOfFile(
        "Orders",
        heading,
        (
            "Order",
            "Order id",
            "Kind",
            "Item",
            "Field",
            "Change",
            "Before",
            "After",
            "Messages",
        ),
        _order_lines(check),
    )
    kpis = TableOfFile(
        "KPIs",
        (),
        ("KPI", "", "Counted", "Excluded", "Numerator", "Denominator", "Value"),
        _kpi_lines(check),
    )
    messages = TableOfFile(
        "Messages",
        (),
        ("Message", "Change", "Reason before", "Detail before", "Reason", "Detail"),
        (
            (
                row.message_id,
                MESSAGE_CHANGES.get(row.change, row.change),
                row.reason_before,
                row.detail_before,
                row.reason,
                row.detail,
            )
            for row in check_messages(check).iterator(1_000)
        ),
    )
    write_csv_table(orders, file, kpis, messages)


def _order_lines(check: ReleaseCheck) -> Iterator[Sequence[Any]]:
    for row in check_orders(check).iterator(500):
        ids = " ".join(str(message_id) for message_id in row.message_ids)
        start = (row.number, row.object_id or "new")
        if row.identity:
            yield (*start, DifferenceKind.IDENTITY.value, "", "", "", "", row.identity, ids)
        for difference in differences_of_order(row):
            change = CHANGE_LABELS[difference.change]
            texts = (
                difference.kind.value,
                difference.item,
                difference.field,
                change,
                difference.before,
                difference.after,
            )
            yield (*start, *texts, ids)


def _kpi_lines(check: ReleaseCheck) -> Iterator[Sequence[Any]]:
    for kpi in check.summary.get("kpis", ()):
        for when in ("before", "after"):
            values = kpi[when]
            names = ("counted", "excluded", "numerator", "denominator", "value")
            yield (kpi["code"], when, *(values[name] for name in names))


def _rule_titles() -> dict[str, str]:
    return dict(SlaRule.objects.values_list("code", "title"))
