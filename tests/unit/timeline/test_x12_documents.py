"""X12 documents and the timeline of their order: changes, closed lines and later answers."""

from datetime import UTC, datetime
from decimal import Decimal

from connectors.sdk.connector import SourceRole
from connectors.sdk.event_codec import sha256_hex, to_canonical_json
from connectors.sdk.events import CanonicalEvent, Measure, ObjectKind
from tests.builders.parsed_x12 import envelope, parse
from visibility.timeline import RecordedEvent, Timeline, fold

NOW = datetime(2026, 4, 1, tzinfo=UTC)
ORDER = "850~BEG*00*SA*6001**20260304~PO1*1*10*EA*2**VN*BOLT~PO1*2*4*EA*3**VN*NUT~CTT*2"
CHANGE = "860~BCH*04*SA*6001***20260304~POC*{}~CTT*1"
ANSWER = "855~BAK*00*AC*6001*20260304~PO1*1*10*EA*2**VN*BOLT~ACK*{}~CTT*1"
RELEASE = "940~W05*N*SO-6~LX*1~W01*10*EA**VN*BOLT~W76*10"
ADVICE = "945~W06*F*SO-6*20260306*{}~LX*1~W12*{}*EA**VN*BOLT~W03*1"


def as_recorded(event: CanonicalEvent) -> RecordedEvent:
    keys = [f"{ref.kind.value} {ref.identifiers[0].value}" for ref in event.objects]
    kinds = [ref.kind for ref in event.objects]
    assert event.occurred_at is not None
    return RecordedEvent(
        event=event,
        source="edi",
        role=SourceRole.EDI,
        occurred_at=event.occurred_at,
        received_at=NOW,
        content_hash=sha256_hex(to_canonical_json(event)),
        object_keys=tuple(keys),
        order_index=kinds.index(ObjectKind.ORDER),
    )


def timeline(*documents: tuple[str, str]) -> Timeline:
    """The timeline after these documents, each with the date and time when it was sent."""
    recorded = []
    for control, (text, sent) in enumerate(documents, 1):
        parsed = parse(envelope(text, sent=sent, control=control), own="ACME")
        assert parsed.errors == ()
        recorded += [as_recorded(event) for event in parsed.events]
    return fold(recorded, key="order", as_of=NOW)


def quantities(result: Timeline, measure: Measure) -> dict[str, Decimal | None]:
    return {line.sku: line.quantities.get(measure) for line in result.lines}


def test_two_changes_without_sequence_and_date_both_count() -> None:
    result = timeline(
        (ORDER, "20260304 0900"),
        (CHANGE.format("1*QD*7*3*EA*2**VN*BOLT"), "20260305 0900"),
        (CHANGE.format("2*DI***EA***VN*NUT"), "20260306 0900"),
    )
    assert quantities(result, Measure.ORDERED) == {"BOLT": Decimal(7), "NUT": Decimal(0)}


def test_a_copy_of_an_earlier_change_does_not_undo_a_later_one() -> None:
    earlier = CHANGE.format("1*QD*7*3*EA*2**VN*BOLT")
    result = timeline(
        (ORDER, "20260304 0900"),
        (earlier, "20260305 0900"),
        (CHANGE.format("1*QD*5*2*EA*2**VN*BOLT"), "20260306 0900"),
        (earlier, "20260307 0900"),
    )
    assert quantities(result, Measure.ORDERED)["BOLT"] == Decimal(5)


def test_a_line_closed_short_is_cancelled_by_the_seller() -> None:
    result = timeline(
        (RELEASE, "20260304 0900"), (ADVICE.format("SH6", "CP*10*8*2"), "20260306 0900")
    )
    (line,) = result.lines
    assert (line.quantities[Measure.SHIPPED], line.short_cancelled) == (Decimal(8), Decimal(2))
    assert result.status.value == "shipped"


def test_closed_quantities_of_two_shipments_add_up() -> None:
    result = timeline(
        (RELEASE, "20260304 0900"),
        (ADVICE.format("SH6", "CP*6*5*1"), "20260306 0900"),
        (ADVICE.format("SH7", "CP*4*2*2"), "20260306 1500"),
    )
    assert result.lines[0].short_cancelled == Decimal(3)


def test_a_rejected_line_stays_ordered_and_is_cancelled_by_the_seller() -> None:
    result = timeline((ORDER, "20260304 0900"), (ANSWER.format("R3"), "20260305 0900"))
    line = next(line for line in result.lines if line.sku == "BOLT")
    assert line.quantities[Measure.ORDERED] == Decimal(10)
    assert line.short_cancelled == Decimal(10)


def test_a_later_acceptance_ends_a_back_order_and_keeps_the_first_promise() -> None:
    result = timeline(
        (ORDER, "20260304 0900"),
        (ANSWER.format("IB*10*EA*067*20260312"), "20260305 0900"),
        (ANSWER.format("IA*10*EA*067*20260318"), "20260306 0900"),
    )
    assert quantities(result, Measure.BACKORDERED)["BOLT"] == Decimal(0)
    assert [promise.kind for promise in result.promises] == ["first", "moved"]


def test_two_shipments_of_one_day_without_a_number_add_up() -> None:
    result = timeline(
        (RELEASE, "20260304 0900"),
        (ADVICE.format("", "BP*10*4*6"), "20260306 0900"),
        (ADVICE.format("", "CC*6*6*0"), "20260306 1500"),
        (ADVICE.format("", "CC*6*6*0"), "20260307 0900"),
    )
    assert result.lines[0].quantities[Measure.SHIPPED] == Decimal(10)
