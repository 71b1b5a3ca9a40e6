"""Kill the worker, the web server and Redis while a thousand messages arrive."""

import asyncio
import contextlib
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import orjson
import pytest

from tests.builders.cloudevents import authorized_headers, cloudevent
from tests.product import Product
from visibility.launcher import server_programs_and_account
from visibility.models import InboundMessage, MessageKey, MessageState, Order, RefoldRequest
from visibility.operations.invariants import check_messages_have_outcome_and_key

SECRET = "a-secret-of-at-least-24-bytes"
MESSAGES = 1_000


def message_body(number: int) -> bytes:
    """One message; each order has three: received, released, shipped."""
    order, step = divmod(number, 3)
    kinds = ("order.received", "order.released", "shipment.confirmed")
    data = {
        "order": {"number": f"SO-{order}"},
        "lines": [
            [{"line_id": "1", "sku": "A", "ordered": 2}],
            [],
            [{"line_id": "1", "sku": "A", "shipped": 2}],
        ][step],
    }
    if step == 2:
        data |= {"shipment": f"S{order}", "part": f"shipment S{order}"}
    at = f"2026-03-02T1{step}:00:00Z"
    return orjson.dumps(cloudevent(kinds[step], data, event_id=f"m{number}", at=at))


async def send_all(product: Product, accepted: dict[int, str]) -> None:
    """Send all messages with sixteen senders that retry until they get 202."""
    numbers = list(range(MESSAGES))
    random.Random(7).shuffle(numbers)

    async def sender(client: httpx2.AsyncClient) -> None:
        while numbers:
            number = numbers.pop()
            content = message_body(number)
            for _ in range(200):
                with contextlib.suppress(httpx2.HTTPError):
                    answer = await client.post(
                        f"{product.url}/hooks/generic",
                        content=content,
                        headers=authorized_headers(SECRET),
                    )
                    if answer.status_code == 202:
                        accepted[number] = answer.json()["message_id"]
                        break
                    assert answer.status_code in {429, 503}, answer.text
                await asyncio.sleep(0.1)

    async with httpx2.AsyncClient(timeout=5) as client:
        await asyncio.gather(*(sender(client) for _ in range(16)))


class PrivateRedis:
    """A separate Valkey for this test, because the test kills it."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "valkey.sock"
        self.url = f"unix://{self.socket}?db=0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = str(server_programs_and_account.find_programs(postgres=False).valkey_program)
        arguments = ["--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        self._process = subprocess.Popen(
            [program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[PrivateRedis]:
    """A running Valkey, killed after the test."""
    server = PrivateRedis(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.mark.django_db(transaction=True)
def test_accepted_messages_are_neither_lost_nor_duplicated(
    tmp_path: Path, own_redis: PrivateRedis
) -> None:
    product = Product(tmp_path, REDIS_URL=own_redis.url)
    product.manage(
        "source", "add", "generic", "--connector", "cloudevents", "--secret", SECRET,
        "--config", "order_number=sales_order@erp",
    )  # fmt: skip
    product.start("web", "worker", "beat")
    accepted: dict[int, str] = {}
    try:
        asyncio.run(_send_and_kill(product, own_redis, accepted))
        _wait_until_processed(product)
    finally:
        product.stop()
    assert len(accepted) == MESSAGES
    assert InboundMessage.objects.count() == MESSAGES
    assert {str(pk) for pk in InboundMessage.objects.values_list("pk", flat=True)} == set(
        accepted.values()
    )
    assert set(InboundMessage.objects.values_list("state", flat=True)) == {MessageState.APPLIED}
    assert MessageKey.objects.count() == MESSAGES
    assert check_messages_have_outcome_and_key() == []
    shipped_orders = Order.objects.filter(status="shipped", line_count=1, lines_shipped=1)
    assert shipped_orders.count() == MESSAGES // 3


async def _send_and_kill(
    product: Product, own_redis: PrivateRedis, accepted: dict[int, str]
) -> None:
    """Kill each of the three processes twice while the senders continue."""
    sending = asyncio.create_task(send_all(product, accepted))
    for done in (100, 250, 400, 550, 700, 850):
        while len(accepted) < done and not sending.done():
            await asyncio.sleep(0.01)
        victim = {100: "worker", 250: "web", 400: "redis", 550: "worker", 700: "web"}.get(
            done, "redis"
        )
        if victim == "redis":
            await asyncio.to_thread(own_redis.kill)
            await asyncio.sleep(0.5)
            own_redis.start()
        else:
            await asyncio.to_thread(product.kill, victim)
            await asyncio.to_thread(product.start, victim)
    await sending


def _wait_until_processed(product: Product) -> None:
    """Wait until the queues are empty; a killed worker's messages return when its lease expires."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        waiting = InboundMessage.objects.filter(state=MessageState.WAITING).exists()
        if not waiting and not RefoldRequest.objects.exists():
            return
        time.sleep(0.5)
    raise AssertionError(f"messages are still waiting:\n{product.log('worker')}")
