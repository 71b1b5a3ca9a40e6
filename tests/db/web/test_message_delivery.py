"""The page of a message shows the request, our answer, and how to repeat it without secrets."""

import orjson
import pytest
from django.conf import settings
from django.test import Client

from tests.builders.sources import create_source, message
from tests.builders.users import signed_in
from visibility.models import InboundMessage
from visibility.screens.messages.delivery import describe_delivery
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HEADERS = {
    "content-type": "application/json",
    "x-event": "it's new",
    "x-signature": "s3cr3t-signature",
    "authorization": "Bearer s3cr3t",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


@pytest.fixture
def client() -> Client:
    return signed_in(UserRole.INTEGRATOR)


def page(client: Client, message_id: int) -> str:
    return " ".join(client.get(f"/messages/{message_id}").content.decode().split())


def test_a_webhook_has_its_answer_and_a_command_without_secrets(client: Client) -> None:
    stored = message(create_source(), headers=HEADERS)
    shown = page(client, stored)
    assert "POST /hooks/wms" in shown
    assert "202 Accepted, sent after the message was stored" in shown
    assert "Repeat this request" in shown
    assert "s3cr3t" not in shown
    delivery = describe_delivery(InboundMessage.objects.get(id=stored))
    assert orjson.loads(delivery.answer_body) == {"message_id": str(stored), "status": "accepted"}
    assert delivery.curl.split(" \\\n  ") == [
        f"curl -X POST {settings.PUBLIC_URL}/hooks/wms",
        "-H 'content-type: application/json'",
        """-H 'x-event: it'"'"'s new'""",
        f"--data-binary @message-{stored}",
    ]


def test_the_answer_of_a_vendor_that_requires_its_own_is_shown(client: Client) -> None:
    signed = {"x-shiphero-hmac-sha256": "c2lnbmVk"}
    stored = message(create_source(connector="shiphero"), headers=signed)
    delivery = describe_delivery(InboundMessage.objects.get(id=stored))
    assert delivery.answer.startswith("200 OK")
    assert delivery.answer_body


def test_what_was_polled_or_came_as_a_file_has_no_command(client: Client) -> None:
    polled = message(create_source("erp", connector="business_central"))
    file = message(create_source("drop"), headers={"x-file-name": "orders.csv"})
    for stored in (polled, file):
        assert "Repeat this request" not in page(client, stored)
