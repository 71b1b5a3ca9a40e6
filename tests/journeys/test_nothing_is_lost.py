"""kill -9 of the worker, the web and Redis in the middle of a thousand messages."""

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

from tests.product import Product, signed
from visibility.launcher import binaries
from visibility.models import InboundMessage, MessageKey, MessageState, Order, Refold
from visibility.operations.invariants import one_fate

SECRET = "a-secret-of-at-least-24-bytes"
MESSAGES = 1_000


def body(number: int) -> bytes:
    """Every order has three messages: received, released, shipped."""
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
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"m{number}",
            "source": "/test",
            "type": kinds[step],
            "time": f"2026-03-02T1{step}:00:00Z",
            "data": data,
        }
    )


async def send_all(product: Product, accepted: dict[int, str]) -> None:
    """Sixteen senders that try again until they hear 202."""
    numbers = list(range(MESSAGES))
    random.Random(7).shuffle(numbers)

    async def sender(client: httpx2.AsyncClient) -> None:
        while numbers:
            number = numbers.pop()
            content = body(number)
            for _ in range(200):
                with contextlib.suppress(httpx2.HTTPError):
                    answer = await client.post(
                        f"{product.url}/hooks/generic",
                        content=content,
                        headers=signed(SECRET, content),
                    )
                    if answer.status_code == 202:
                        accepted[number] = answer.json()["message_id"]
                        break
                    assert answer.status_code in {429, 503}, answer.text
                await asyncio.sleep(0.1)

    async with httpx2.AsyncClient(timeout=5) as client:
        await asyncio.gather(*(sender(client) for _ in range(16)))


class OwnRedis:
    """A Valkey of this test's own, so that killing it disturbs nobody else."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "valkey.sock"
        self.url = f"unix://{self.socket}?db=0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = str(binaries.find(postgres=False).valkey)
        words = ["--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        self._process = subprocess.Popen(
            [program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    """Started and, in the end, killed."""
    server = OwnRedis(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.mark.django_db(transaction=True)
def test_no_accepted_message_is_lost_or_doubled(tmp_path: Path, own_redis: OwnRedis) -> None:
    product = Product(tmp_path, REDIS_URL=own_redis.url)
    product.manage(
        "source", "add", "generic", "--connector", "cloudevents", "--secret", SECRET,
        "--config", "order_number=sales_order@erp",
    )  # fmt: skip
    product.start("web", "worker", "beat")
    accepted: dict[int, str] = {}
    try:
        asyncio.run(_send_and_kill(product, own_redis, accepted))
        _await_quiet(product)
    finally:
        product.stop()
    assert len(accepted) == MESSAGES
    assert InboundMessage.objects.count() == MESSAGES
    assert {str(pk) for pk in InboundMessage.objects.values_list("pk", flat=True)} == set(
        accepted.values()
    )
    assert set(InboundMessage.objects.values_list("state", flat=True)) == {MessageState.APPLIED}
    assert MessageKey.objects.count() == MESSAGES
    assert one_fate() == []
    whole = Order.objects.filter(status="shipped", line_count=1, lines_shipped=1)
    assert whole.count() == MESSAGES // 3


async def _send_and_kill(product: Product, own_redis: OwnRedis, accepted: dict[int, str]) -> None:
    """Each of the three dies several times while the senders go on."""
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


def _await_quiet(product: Product) -> None:
    """Until nothing waits; a killed worker's messages come back when its lease ends."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        waiting = InboundMessage.objects.filter(state=MessageState.WAITING).exists()
        if not waiting and not Refold.objects.exists():
            return
        time.sleep(0.5)
    raise AssertionError(f"messages still wait:\n{product.log('worker')}")
