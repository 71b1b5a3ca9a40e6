"""While the disk is full, messages are refused before PostgreSQL stops, and `/readyz` fails."""

from pathlib import Path

import httpx2
import orjson
import pytest

from tests.builders.cloudevents import authorized_headers, cloudevent
from tests.empty_tables import empty_tables
from tests.product import Product
from visibility.models import InboundMessage

SECRET = "a-secret-of-at-least-24-bytes"
HOOK, BATCH = "/hooks/shop", "/api/v1/events"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_messages_get_503_while_the_disk_is_full(tmp_path: Path) -> None:
    running = Product(tmp_path, DATABASE_FOLDER=str(tmp_path))
    try:
        running.manage("source", "add", "shop", "--connector", "cloudevents", "--secret", SECRET)
        event = cloudevent("order.received", {"order": {"number": "SO-1"}}, event_id="e1")
        headers = {**authorized_headers(SECRET), "content-type": "application/cloudevents+json"}
        running.environment["DISK_FLOOR"] = str(2**60)
        running.start("web")
        with httpx2.Client(base_url=running.url, timeout=20) as client:
            for path in (HOOK, BATCH):
                refused = client.post(path, content=orjson.dumps(event), headers=headers)
                assert refused.status_code == 503, (path, refused.text)
                assert int(refused.headers["retry-after"]) > 0
            unready = client.get("/readyz")
            assert (unready.status_code, unready.json()["status"]) == (503, "unready")
            assert "The disk of the data folder is full" in unready.json()["problem"]
        assert not InboundMessage.objects.exists()
        running.stop()
        running.environment["DISK_FLOOR"] = "1"
        running.start("web")
        with httpx2.Client(base_url=running.url, timeout=20) as client:
            assert client.get("/readyz").json() == {"status": "ready"}
            accepted = client.post(HOOK, content=orjson.dumps(event), headers=headers)
            assert accepted.status_code == 202, accepted.text
        assert InboundMessage.objects.count() == 1
    finally:
        running.stop()
        empty_tables()
