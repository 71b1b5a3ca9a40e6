"""Stored X12 files: identity by their interchange, and what they say beside their events."""

import pytest

from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.x12.connector import X12
from tests.builders.parsed_x12 import envelope
from tests.builders.sources import create_source
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import InboundMessage, Order, Source
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db(transaction=True)

ORDER = "850~BEG*00*SA*{}**20260304~PO1*1*5*EA*2**VN*BOLT~CTT*1"


NOTICE = envelope(
    "856~BSN*00*S1*20260305*0800~HL*1**S~HL*2*1*O~PRF*5001~HL*3*2*I~LIN*1*VN*BOLT~SN1*1*5*EA",
    sender="ACME",
    receiver="BIGMART",
    control=9,
)


def release(number: str) -> bytes:
    return envelope(ORDER.format("5001").replace("**2026", f"*{number}*2026"))


def customer_pos_and_statuses() -> list[tuple[str, str]]:
    return sorted(Order.objects.values_list("customer_po", "status"))


@pytest.fixture
def edi() -> Source:
    return create_source("edi", connector="x12", role="edi", config={"own": "ACME"})


def receive(source: Source, *bodies: bytes) -> None:
    """Receive files one after the other, each with the dedupe key that its connector gives it."""
    for body in bodies:
        key = X12({}).dedupe_key(WebhookRequest("POST", "/", {}, {}, body))
        store_messages([IncomingMessage(source.pk, key, {}, body)])
        job_functions.process_messages_and_refold()


def test_an_order_stays_when_its_control_number_comes_again(edi: Source) -> None:
    first = envelope(ORDER.format("5001"), sent="20250304 0915")
    receive(edi, first, envelope(ORDER.format("5002")), first)
    assert sorted(Order.objects.values_list("customer_po", flat=True)) == ["5001", "5002"]
    assert set(InboundMessage.objects.values_list("state", flat=True)) == {"applied"}
    assert InboundMessage.objects.count() == 2


def test_releases_of_a_blanket_order_are_two_orders(edi: Source) -> None:
    receive(edi, release("R1"), release("R2"))
    assert customer_pos_and_statuses() == [("5001/R1", "received"), ("5001/R2", "received")]


def test_a_notice_without_a_release_belongs_to_the_only_release(edi: Source) -> None:
    receive(edi, release("R1"), NOTICE)
    assert customer_pos_and_statuses() == [("5001/R1", "shipped")]


def test_a_notice_without_a_release_belongs_to_none_of_two_releases(edi: Source) -> None:
    receive(edi, release("R1"), NOTICE, release("R2"))
    assert customer_pos_and_statuses() == [
        ("5001", "shipped"),
        ("5001/R1", "received"),
        ("5001/R2", "received"),
    ]


def test_what_an_applied_file_says_beside_its_events_is_stored(edi: Source) -> None:
    answer = "855~BAK*00*AC*5001*20260304~PO1*1*5*EA*2**VN*BOLT~ACK*Q9*5*EA~CTT*1"
    receive(edi, envelope(answer, sender="ACME", receiver="BIGMART"))
    message = InboundMessage.objects.get()
    assert (message.state, message.detail) == (
        "applied",
        "ignored: ST 855 0001 line 1: ACK01 'Q9' is not known",
    )
    assert Order.objects.count() == 1
