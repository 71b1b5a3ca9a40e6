"""Times nobody can mean and EDI envelopes that do not close: B34-B41 and B62-B64.

Every written form of a time is in tests/connectors/test_times.py, every way an envelope breaks in
tests/connectors/test_edi.py; here they go through the whole product.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pytest_django.plugin import DjangoDbBlocker

from connectors.sdk.events import Flag, Scheme
from connectors.sdk.payload import Reason
from tests.nasty.sending import Bench, Case, Source, bench, order_of
from visibility.models import Event, InboundMessage, Order

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)  # noqa: TID251  # tests of "too far ahead" need the day they run on


def told_at(name: str, time: object, *flags: Flag, source: str = "json") -> Case:
    return Case(name, order_of(name, time=time), flags=frozenset(flags), source=source)


def parked_at(name: str, time: object, source: str = "json") -> Case:
    return Case(name, order_of(name, time=time), Reason.TIMESTAMP, source=source)


SOON, LATER = (f"{NOW + shift:%Y-%m-%dT%H:%M:%SZ}" for shift in (timedelta(hours=1),
                                                                 timedelta(days=9)))  # fmt: skip
TIMES = [
    told_at("B34 no time", None, Flag.TIME_RECEIVED),
    told_at("B34 an empty time", "", Flag.TIME_RECEIVED),
    told_at("B34 when Unix began", "1970-01-01T00:00:00Z", Flag.TIME_RECEIVED),
    told_at("B34 when Unix began, elsewhere", "1970-01-01T01:00:00+01:00", Flag.TIME_RECEIVED),
    told_at("B34 zero", 0, Flag.TIME_RECEIVED),
    told_at("B35 no offset, zone known", "2026-03-02T10:00:00", Flag.ZONE_ASSUMED, source="berlin"),
    parked_at("B35 no offset, no zone", "2026-03-02T10:00:00"),
    told_at("B36 an hour that comes twice", "2025-10-26T02:30:00", Flag.LOCAL_REPEATED,
            source="berlin"),
    told_at("B36 an hour that never comes", "2025-03-30T02:30:00", Flag.LOCAL_SKIPPED,
            source="berlin"),
    parked_at("B37 the last century", "1999-12-31T23:59:59Z"),
    parked_at("B37 nine days ahead", LATER),
    parked_at("B37 the year 9999", "9999-12-31T23:59:59Z"),
    parked_at("B37 beyond all years", "9999-12-31T23:59:59-12:00"),
    parked_at("B37 the year 1", "0001-01-01T00:00:00+12:00"),
    told_at("B38 an hour ahead", SOON),
    parked_at("B39 seconds", 1772445600),
    parked_at("B39 milliseconds", 1772445600000),
    parked_at("B39 milliseconds as text", "1772445600000"),
    parked_at("B40 the 30th of February", "2026-02-30T10:00:00Z"),
    parked_at("B40 the 25th hour", "2026-03-02T25:00:00Z"),
    told_at("B40 24:00:00", "2026-03-02T24:00:00Z"),
    told_at("B40 the 60th second", "2026-03-02T23:59:60Z"),
    told_at("B41 a day", "2026-03-02", Flag.DATE_ONLY),
    parked_at("B41 a day as people write it", "02.03.2026"),
]  # fmt: skip
# What each applied time means; those without one are of the moment they came.
MEANT = {
    "B35 no offset, zone known": datetime(2026, 3, 2, 9, tzinfo=UTC),
    "B36 an hour that comes twice": datetime(2025, 10, 26, 0, 30, tzinfo=UTC),
    "B36 an hour that never comes": datetime(2025, 3, 30, 1, 30, tzinfo=UTC),
    "B40 24:00:00": datetime(2026, 3, 3, tzinfo=UTC),
    "B40 the 60th second": datetime(2026, 3, 3, tzinfo=UTC),
    "B41 a day": datetime(2026, 3, 2, tzinfo=UTC),
}


def purchase(po: str, number: int = 1) -> str:
    return f"ST*850*{number:04}~BEG*00*SA*{po}**20260304~PO1*1*5*EA*2**VN*A~SE*4*{number:04}~"


def interchange(sets: str, *, control: int, count: int = 1, wide: bool = True) -> str:
    sender, receiver = (f"{name:15}" if wide else name for name in ("BIGMART", "ACME"))
    blanks = " " * 10 if wide else ""
    head = f"ISA*00*{blanks}*00*{blanks}*ZZ*{sender}*ZZ*{receiver}*260304*0915*U*00401"
    group = f"GS*PO*BIGMART*ACME*20260304*0915*7*X*004010~{sets}GE*{count}*7~"
    return f"{head}*{control:09}*0*P*>~{group}IEA*1*{control:09}~"


def edi(name: str, text: str, reason: Reason | None = None, *flags: Flag) -> Case:
    return Case(name, text.encode(), reason, frozenset(flags), "edi")


WHOLE = interchange(purchase("PO-WHOLE"), control=1)
TWO = purchase("PO-GOOD", 1) + purchase("PO-BAD", 2).replace("SE*4*0002~", "")
BROKEN = Reason.EDI_ENVELOPE
FILES = [
    edi("B62 other separators", interchange(purchase("PO-62"), control=2).translate(
        str.maketrans("*~>", "^\x1c|"))),
    edi("B62 a line end as terminator", interchange(purchase("PO-62B"), control=3).replace(
        "~", "\n")),
    edi("B62 lines and blanks between", interchange(purchase("PO-62C"), control=4).replace(
        "~", "~\r\n  ")),
    edi("B63 an ISA without padding", interchange(
        purchase("PO-63"), control=5, wide=False)),
    edi("B63 an ISA cut short", WHOLE[:60], BROKEN),
    edi("B63 cut within a set", interchange(purchase("PO-CUT"), control=6)[:-40], BROKEN),
    edi("B63 no envelope at all", "hello world", BROKEN),
    edi("B63 a set that never ends beside a good one", interchange(
        TWO, control=7, count=2), BROKEN),
    edi("B63 a wrong SE01", interchange(
        purchase("PO-SE").replace("SE*4*", "SE*9*"), control=8), None, Flag.ENVELOPE),
    edi("B63 a wrong SE02", interchange(
        purchase("PO-SE2").replace("SE*4*0001", "SE*4*0009"), control=9), None, Flag.ENVELOPE),
    edi("B63 a wrong GE01", interchange(
        purchase("PO-GE"), control=10, count=3), None, Flag.ENVELOPE),
    edi("B63 a wrong IEA02", interchange(purchase("PO-IEA"), control=11).replace(
        "IEA*1*000000011", "IEA*1*000000099"), None, Flag.ENVELOPE),
    edi("B63 two interchanges, the second cut", interchange(
        purchase("PO-FIRST"), control=12) + WHOLE[:120], BROKEN),
    edi("B64 the first content", interchange(purchase("PO-64A"), control=640)),
    edi("B64 bytes that are no text", interchange(purchase("PO-L"), control=13))
]  # fmt: skip
FILES[-1] = Case(
    FILES[-1].name, FILES[-1].body.replace(b"PO-L", b"PO-\xff"), Reason.ENCODING, source="edi"
)


@pytest.fixture(scope="module")
def sent(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Bench]:
    """Every case, sent; and the interchange that comes once more and then with other content."""
    sources = (
        Source("json", "cloudevents"),
        Source("berlin", "cloudevents", {"zone": "Europe/Berlin"}),
        Source("edi", "x12"),
    )
    folder = tmp_path_factory.mktemp("documents")
    with django_db_blocker.unblock(), bench(folder, *sources) as made:
        made.send([*TIMES, *FILES])
        first = next(case for case in FILES if case.name == "B64 the first content")
        again = made.post(first)
        assert again.json()["status"] == "duplicate"
        made.post(edi("other content", interchange(purchase("PO-64B"), control=640)))
        made.send_good()
        made.settle()
        yield made


FINE = [case for case in (*TIMES, *FILES) if case.name != "B64 the first content"]


@pytest.mark.parametrize("case", FINE, ids=lambda case: case.name)
def test_it_gets_its_answer_and_its_reason(sent: Bench, case: Case) -> None:
    sent.judge(case)


def test_nobody_else_noticed(sent: Bench) -> None:
    sent.check_others()


@pytest.mark.parametrize("name", MEANT)
def test_a_time_means_one_instant(sent: Bench, name: str) -> None:
    (event,) = sent.outcomes[name].events
    assert event.occurred_at == MEANT[name]


@pytest.mark.parametrize("case", [c for c in TIMES if Flag.TIME_RECEIVED in c.flags])
def test_without_a_time_it_is_of_the_moment_it_came(sent: Bench, case: Case) -> None:
    message = sent.outcomes[case.name].message
    assert message is not None
    row = Event.objects.get(message_id=message.pk)
    assert row.occurred_at == message.received_at


def test_what_is_an_hour_ahead_has_no_effect_yet(sent: Bench) -> None:
    order = Order.objects.get(key__endswith="B38 AN HOUR AHEAD")
    assert (order.event_count, order.last_event_at) == (0, None)
    assert len(sent.outcomes["B38 an hour ahead"].events) == 1


def numbers(sent: Bench, name: str) -> set[str]:
    """The purchase orders that a file's good sets are about."""
    return {
        identifier.value
        for event in sent.outcomes[name].events
        for ref in event.objects
        for identifier in ref.identifiers
        if identifier.scheme is Scheme.CUSTOMER_PO
    }


def test_the_good_sets_of_a_broken_file_apply(sent: Bench) -> None:
    assert numbers(sent, "B63 a set that never ends beside a good one") == {"PO-GOOD"}
    assert numbers(sent, "B63 two interchanges, the second cut") == {"PO-FIRST"}
    assert numbers(sent, "B63 cut within a set") == set()


@pytest.mark.parametrize("po", ["PO-62", "PO-62B", "PO-62C", "PO-63"])
def test_whatever_separates_the_elements_the_order_is_read(sent: Bench, po: str) -> None:
    order = Order.objects.get(customer_po=po)
    (line,) = order.lines.all()
    assert (line.sku, line.ordered) == ("A", Decimal(5))


def test_of_two_contents_under_one_control_number_one_counts(sent: Bench) -> None:
    rows = InboundMessage.objects.filter(dedupe_key="BIGMART/ACME/000000640")
    assert sorted(rows.values_list("state", "reason")) == [("applied", ""), ("parked", "conflict")]
    assert Order.objects.filter(customer_po__in=("PO-64A", "PO-64B"), event_count=1).count() == 1
