"""Invalid times and broken EDI envelopes: cases B34-B41 and B62-B64.

The tests of the connectors cover all formats; these tests send some through the whole product.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from connectors.sdk.events import Flag, IdentifierScheme
from connectors.sdk.payload import ParkReason
from tests.builders.x12 import interchange, transaction_set
from tests.processes.hostile.cases import applied, parked
from tests.processes.hostile.harness import (
    HostileCase,
    HostileRun,
    HostileSource,
    order_of,
)
from visibility.models import Event, InboundMessage, Order

pytestmark = pytest.mark.django_db
SOURCES = (
    HostileSource("json", "cloudevents"),
    HostileSource("berlin", "cloudevents", {"zone": "Europe/Berlin"}),
    HostileSource("edi", "x12"),
)
NOW = datetime.now(UTC)  # noqa: TID251  # tests of future times need the current day


def applied_at(name: str, time: object, *flags: Flag, source: str = "json") -> HostileCase:
    return applied(name, order_of(name, time=time), *flags, source=source)


def parked_at(name: str, time: object, source: str = "json") -> HostileCase:
    return parked(name, order_of(name, time=time), ParkReason.TIMESTAMP, source=source)


SOON, LATER = (f"{NOW + shift:%Y-%m-%dT%H:%M:%SZ}" for shift in (timedelta(hours=1),
                                                                 timedelta(days=9)))  # fmt: skip
TIME_CASES = [
    applied_at("B34 no time", None, Flag.TIME_RECEIVED),
    applied_at("B34 empty time", "", Flag.TIME_RECEIVED),
    applied_at("B34 Unix epoch", "1970-01-01T00:00:00Z", Flag.TIME_RECEIVED),
    applied_at("B34 Unix epoch with an offset", "1970-01-01T01:00:00+01:00", Flag.TIME_RECEIVED),
    applied_at("B34 zero", 0, Flag.TIME_RECEIVED),
    applied_at("B35 no offset, known zone", "2026-03-02T10:00:00", Flag.ZONE_ASSUMED,
               source="berlin"),
    parked_at("B35 no offset, no zone", "2026-03-02T10:00:00"),
    applied_at("B36 repeated hour (end of DST)", "2025-10-26T02:30:00", Flag.LOCAL_REPEATED,
               source="berlin"),
    applied_at("B36 skipped hour (start of DST)", "2025-03-30T02:30:00", Flag.LOCAL_SKIPPED,
               source="berlin"),
    parked_at("B37 last century", "1999-12-31T23:59:59Z"),
    parked_at("B37 nine days ahead", LATER),
    parked_at("B37 year 9999", "9999-12-31T23:59:59Z"),
    parked_at("B37 after the last year", "9999-12-31T23:59:59-12:00"),
    parked_at("B37 year 1", "0001-01-01T00:00:00+12:00"),
    applied_at("B38 one hour ahead", SOON),
    parked_at("B39 seconds", 1772445600),
    parked_at("B39 milliseconds", 1772445600000),
    parked_at("B39 milliseconds as a string", "1772445600000"),
    parked_at("B40 February 30", "2026-02-30T10:00:00Z"),
    parked_at("B40 hour 25", "2026-03-02T25:00:00Z"),
    applied_at("B40 24:00:00", "2026-03-02T24:00:00Z"),
    applied_at("B40 second 60", "2026-03-02T23:59:60Z"),
    applied_at("B41 date", "2026-03-02", Flag.DATE_ONLY),
    parked_at("B41 date in a local format", "02.03.2026"),
]  # fmt: skip
# The instant of each applied time. Events without a time have the time of receipt.
EXPECTED_TIMES = {
    "B35 no offset, known zone": datetime(2026, 3, 2, 9, tzinfo=UTC),
    "B36 repeated hour (end of DST)": datetime(2025, 10, 26, 0, 30, tzinfo=UTC),
    "B36 skipped hour (start of DST)": datetime(2025, 3, 30, 1, 30, tzinfo=UTC),
    "B40 24:00:00": datetime(2026, 3, 3, tzinfo=UTC),
    "B40 second 60": datetime(2026, 3, 3, tzinfo=UTC),
    "B41 date": datetime(2026, 3, 2, tzinfo=UTC),
}


def purchase_order(po: str, number: int = 1) -> str:
    return transaction_set(f"850~BEG*00*SA*{po}**20260304~PO1*1*5*EA*2**VN*A", number)


def edi_case(name: str, text: str, reason: ParkReason | None = None, *flags: Flag) -> HostileCase:
    return HostileCase(name, text.encode(), reason, frozenset(flags), "edi")


COMPLETE = interchange(purchase_order("PO-COMPLETE"), control=1)
TWO = purchase_order("PO-GOOD", 1) + purchase_order("PO-BAD", 2).replace("SE*4*0002~", "")
BROKEN = ParkReason.EDI_ENVELOPE
EDI_CASES = [
    edi_case("B62 other separators", interchange(purchase_order("PO-62"), control=2).translate(
        str.maketrans("*~>", "^\x1c|"))),
    edi_case("B62 newline as terminator", interchange(purchase_order("PO-62B"), control=3).replace(
        "~", "\n")),
    edi_case("B62 line breaks and blanks between segments", interchange(
        purchase_order("PO-62C"), control=4).replace("~", "~\r\n  ")),
    edi_case("B63 ISA without padding", interchange(
        purchase_order("PO-63"), control=5, padded=False)),
    edi_case("B63 truncated ISA", COMPLETE[:60], BROKEN),
    edi_case("B63 truncated in a transaction set", interchange(
        purchase_order("PO-CUT"), control=6)[:-40], BROKEN),
    edi_case("B63 no envelope", "hello world", BROKEN),
    edi_case("B63 unterminated and valid transaction set", interchange(
        TWO, control=7, count=2), BROKEN),
    edi_case("B63 wrong SE01", interchange(
        purchase_order("PO-SE").replace("SE*4*", "SE*9*"), control=8), None, Flag.ENVELOPE),
    edi_case("B63 wrong SE02", interchange(
        purchase_order("PO-SE2").replace("SE*4*0001", "SE*4*0009"), control=9),
        None, Flag.ENVELOPE),
    edi_case("B63 wrong GE01", interchange(
        purchase_order("PO-GE"), control=10, count=3), None, Flag.ENVELOPE),
    edi_case("B63 wrong IEA02", interchange(purchase_order("PO-IEA"), control=11).replace(
        "IEA*1*000000011", "IEA*1*000000099"), None, Flag.ENVELOPE),
    edi_case("B63 two interchanges, the second truncated", interchange(
        purchase_order("PO-FIRST"), control=12) + COMPLETE[:120], BROKEN),
    edi_case("B64 first content", interchange(purchase_order("PO-64A"), control=640)),
    edi_case("B64 invalid bytes", interchange(purchase_order("PO-L"), control=13))
]  # fmt: skip
EDI_CASES[-1] = parked(
    EDI_CASES[-1].name,
    EDI_CASES[-1].body.replace(b"PO-L", b"PO-\xff"),
    ParkReason.ENCODING,
    source="edi",
)
CASES = [*TIME_CASES, *EDI_CASES]


@pytest.fixture(scope="module")
def sent(sent: HostileRun) -> HostileRun:
    """The product after all cases, a repeated interchange, and two with different content."""
    first = next(case for case in EDI_CASES if case.name == "B64 first content")
    repeated = sent.post(first)
    assert repeated.json()["status"] == "duplicate"
    corrected = purchase_order("PO-64A").replace("*5*EA", "*6*EA")
    sent.post(edi_case("other content", interchange(corrected, control=640)))
    sent.post(edi_case("other document", interchange(purchase_order("PO-64B"), control=640)))
    sent.send_valid()
    sent.wait_until_processed()
    return sent


CHECKED = [case for case in CASES if case.name != "B64 first content"]


@pytest.mark.parametrize("case", CHECKED, ids=lambda case: case.name)
def test_case_gets_expected_response_and_reason(sent: HostileRun, case: HostileCase) -> None:
    sent.check(case)


def test_valid_messages_and_processes_are_unaffected(sent: HostileRun) -> None:
    sent.check_others()


@pytest.mark.parametrize("name", EXPECTED_TIMES)
def test_time_is_parsed_as_expected(sent: HostileRun, name: str) -> None:
    (event,) = sent.outcomes[name].events
    assert event.occurred_at == EXPECTED_TIMES[name]


@pytest.mark.parametrize("case", [c for c in TIME_CASES if Flag.TIME_RECEIVED in c.flags])
def test_event_without_a_time_has_the_time_of_receipt(sent: HostileRun, case: HostileCase) -> None:
    message = sent.outcomes[case.name].message
    assert message is not None
    row = Event.objects.get(message_id=message.pk)
    assert row.occurred_at == message.received_at


def test_event_of_the_next_hour_has_no_effect_yet(sent: HostileRun) -> None:
    order = Order.objects.get(key__endswith="B38 ONE HOUR AHEAD")
    assert (order.event_count, order.last_event_at) == (0, None)
    assert len(sent.outcomes["B38 one hour ahead"].events) == 1


def purchase_order_numbers(sent: HostileRun, name: str) -> set[str]:
    """The purchase order numbers in the events of a file."""
    return {
        identifier.value
        for event in sent.outcomes[name].events
        for ref in event.objects
        for identifier in ref.identifiers
        if identifier.scheme is IdentifierScheme.CUSTOMER_PO
    }


def test_valid_transaction_sets_of_a_broken_file_are_applied(sent: HostileRun) -> None:
    assert purchase_order_numbers(sent, "B63 unterminated and valid transaction set") == {"PO-GOOD"}
    assert purchase_order_numbers(sent, "B63 two interchanges, the second truncated") == {
        "PO-FIRST"
    }
    assert purchase_order_numbers(sent, "B63 truncated in a transaction set") == set()


@pytest.mark.parametrize("po", ["PO-62", "PO-62B", "PO-62C", "PO-63"])
def test_order_is_read_with_any_separators(sent: HostileRun, po: str) -> None:
    order = Order.objects.get(customer_po=po)
    (line,) = order.lines.all()
    assert (line.sku, line.ordered) == ("A", Decimal(5))


def test_second_content_of_one_document_is_parked(sent: HostileRun) -> None:
    keys = InboundMessage.objects.filter(
        dedupe_key__startswith="BIGMART/ACME/260304/0915/000000640/"
    )
    states = sorted(keys.values_list("state", "reason"))
    assert states == [("applied", ""), ("applied", ""), ("parked", "conflict")]


def test_another_document_with_the_same_control_number_is_applied(sent: HostileRun) -> None:
    orders = Order.objects.filter(customer_po__in=("PO-64A", "PO-64B"), event_count=1)
    assert orders.count() == 2
