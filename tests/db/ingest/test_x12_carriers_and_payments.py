"""What carrier documents, payments, returns and stock do to the orders that they name."""

import pytest

from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.systems.x12.connector import X12
from tests.builders.parsed_x12 import envelope
from tests.builders.sources import create_source
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import InboundMessage, Order, Source
from visibility.pipeline import job_functions
from visibility.screens.orders.milestones import load_timeline
from visibility.timeline.model import MilestoneCode, Timeline

pytestmark = pytest.mark.django_db(transaction=True)

RELEASE = "940~W05*N*{0}*PO-{0}~LX*1~W01*5*EA**VN*BOLT~W76*5"
TENDER = (
    "204~B2**FHLX**LD-1**PP~S5*1*CL~OID*SO-1*PO-1~OID*SO-2*PO-2~S5*2*PU~OID*SO-1~S5*3*CU~OID*SO-2"
)
STOP = "214~B10*4471*LD-1*FHLX~LX*2~L11*SO-1*OQ~AT7*D1*NS***20260306*0755*UT~MS1*AUSTIN*TX"
ORDER = "850~BEG*00*SA*4711**20260304~PO1*1*5*EA*2**VN*BOLT~CTT*1"
INVOICE = "810~BIG*20260305*INV-1*20260304*4711~IT1*1*5*EA*2**VN*BOLT~TDS*1000"
PAYMENT = "820~BPR*I*1*C*ACH************20260412~TRN*1*{}~RMR*IV*INV-1*PO*{}*10~REF*PO*4711"


@pytest.fixture
def edi() -> Source:
    config = {"own": "ACME", "depositor_order": "sales_order@erp"}
    return create_source("edi", connector="x12", role="edi", config=config)


def receive(source: Source, *sets: str, sender: str = "BIGMART", receiver: str = "ACME") -> None:
    for text in sets:
        control = InboundMessage.objects.count() + 1
        body = envelope(text, sender=sender, receiver=receiver, control=control)
        key = X12({}).dedupe_key(WebhookRequest("POST", "/", {}, {}, body))
        store_messages([IncomingMessage(source.pk, key, {}, body)])
        job_functions.process_messages_and_refold()


def timelines() -> dict[str, Timeline]:
    now = database_now()
    return {o.number: load_timeline(o.pk, as_of=now) for o in Order.objects.all()}


def labels(timeline: Timeline) -> list[str]:
    return [entry.recorded.event.type.value for entry in timeline.entries]


def test_a_load_is_on_each_of_its_orders_and_a_stop_delivers_only_its_own(edi: Source) -> None:
    receive(edi, RELEASE.format("SO-1"), RELEASE.format("SO-2"), TENDER, sender="ACME")
    receive(edi, "990~B1*FHLX*LD-1*20260304*A", STOP, sender="FHLX")
    receive(edi, "210~B3**F-1*LD-1*PP**20260309*41250****FHLX", sender="FHLX")
    by_number = timelines()
    assert sorted(by_number) == ["SO-1", "SO-2"]
    for number, timeline in by_number.items():
        expected = {"shipment.tendered", "document.acknowledged", "freight.invoiced"}
        assert expected <= set(labels(timeline)), number
        assert timeline.milestone_completed_at(MilestoneCode.INVOICED) is None
    assert by_number["SO-1"].milestone_completed_at(MilestoneCode.DELIVERED) is not None
    assert by_number["SO-2"].milestone_completed_at(MilestoneCode.DELIVERED) is None


def test_an_order_is_paid_when_the_rest_of_its_invoice_is_paid(edi: Source) -> None:
    receive(edi, ORDER)
    receive(edi, INVOICE, sender="ACME", receiver="BIGMART")
    receive(edi, PAYMENT.format("EFT-1", "4"))
    (timeline,) = (load_timeline(o.pk, as_of=database_now()) for o in Order.objects.all())
    assert "invoice.partly_paid" in labels(timeline)
    assert timeline.milestone_completed_at(MilestoneCode.PAID) is None
    receive(edi, PAYMENT.format("EFT-2", "10"))
    (timeline,) = (load_timeline(o.pk, as_of=database_now()) for o in Order.objects.all())
    assert timeline.milestone_completed_at(MilestoneCode.PAID) is not None
    assert labels(timeline).count("invoice.partly_paid") == 1


def test_stock_and_transfers_are_on_no_order(edi: Source) -> None:
    receive(edi, "846~BIA*00*MB*1*20260305~LIN*1*VN*BOLT~QTY*17*480*EA")
    receive(edi, "947~W15*20260305*ADJ-1~W19*AU*-6*EA**VN*BOLT")
    receive(edi, "943~W06*N*TR-1*20260301*SH-1~W04*100*EA**VN*BOLT~W03*100", sender="ACME")
    receive(edi, "944~W17*F*20260304*RC-1*TR-1*SH-1~W07*97*EA**VN*BOLT~W14*97")
    assert not Order.objects.exists()
    assert set(InboundMessage.objects.values_list("state", flat=True)) == {"applied"}


def test_a_return_is_received_for_its_order(edi: Source) -> None:
    receive(edi, RELEASE.format("SO-1"), sender="ACME")
    receive(edi, "944~W17*F*20260420*RC-1*SO-1~N9*RZ*RMA-1~W07*2*EA**VN*BOLT~W14*2")
    assert timelines()["SO-1"].milestones[MilestoneCode.RETURNED].reached_at is not None
