"""Open pages that go away and come back, and one order that everybody talks of (F31, F33)."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.faults.bed import Bed
from tests.faults.proxy import Proxy
from tests.faults.sending import until
from tests.faults.story import told

HEAD = "SELECT number FROM visibility_changehead"
WAITED = """
SELECT percentile_disc(0.95) WITHIN GROUP (ORDER BY processed_at - received_at)
FROM visibility_inbound_message WHERE dedupe_key LIKE %s
"""


def opened(bed: Bed, port: int) -> connect:
    """A page's socket, through a proxy on that port."""
    cookie = f"sessionid={bed.court.under_test.ask('session')}"
    origin = f"http://127.0.0.1:{port}"
    return connect(
        f"ws://127.0.0.1:{port}/ws/live",
        additional_headers={"Cookie": cookie},
        origin=origin,  # type: ignore[arg-type]  # a plain str is what it takes
        ping_interval=None,
    )


async def said(page: ClientConnection, *, seconds: float = 15) -> Mapping[str, Any]:
    """What the page hears next."""
    found: Mapping[str, Any] = json.loads(await asyncio.wait_for(page.recv(), seconds))
    return found


async def reaches(page: ClientConnection, head: int, *, seconds: float = 30) -> float:
    """How long until the page knows of this number."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while (await said(page, seconds=seconds))["head"] < head:
            pass
    return time.monotonic() - began


def test_f33_a_page_that_was_cut_off_knows_what_it_missed(bed: Bed) -> None:
    """Cut, then swallowed by the network, then without Redis: within 30 s it is as a fresh one."""

    async def away(proxy: Proxy) -> None:
        async with opened(bed, proxy.port) as page:
            before = (await said(page))["head"]
            proxy.reset()
        tell("F33a")
        async with opened(bed, proxy.port) as page:
            assert (await said(page))["head"] == head() > before
            proxy.silence()
            tell("F33b")
            try:
                while True:
                    await said(page, seconds=2)
            except TimeoutError:
                pass  # it hears nothing, not even the heartbeat: the page opens anew
            proxy.speak()
        async with opened(bed, proxy.port) as page:
            assert (await said(page))["head"] == head()
            bed.cluster.valkey.kill()
            tell("F33c")
            assert await reaches(page, head()) < 30
            bed.cluster.valkey.start()

    def head() -> int:
        return int(bed.court.ask(HEAD)[0][0])

    def tell(prefix: str) -> None:
        assert bed.settle(bed.send(bed.stories(prefix, count=20), rate=200)).broken == []

    with Proxy(bed.installation.port) as proxy:
        asyncio.run(away(proxy))


def test_f31_a_hot_order_holds_no_other_up(bed: Bed) -> None:
    calm = bed.stories("F31calm", count=100)
    assert bed.settle(bed.send(calm, rate=60)).broken == []
    others = bed.stories("F31", count=100)
    since = bed.began.replace(microsecond=0)
    hot = [
        told(
            "erp",
            "order.changed",
            {"order": {"number": "F31hot"}, "key": f"hot-{n}"},
            identity=f"hot-{n}",
            at=since,
        )
        for n in range(400)
    ]
    both, rest = list(hot), list(others)
    for place in range(len(rest)):
        both.insert(place * 5, rest[place])
    assert bed.settle(bed.send(both, rate=240), seconds=60).broken == []
    before, meanwhile = (bed.court.ask(WAITED, [name])[0][0] for name in ("%F31calm-%", "%F31-%"))
    # A quarter more at full size; here the noise of a shared machine is allowed for.
    assert meanwhile.total_seconds() < before.total_seconds() * 1.25 + 3


def test_a_slow_and_a_cut_connection_to_the_database_lose_nothing(bed: Bed) -> None:
    """F21, through a proxy on the socket of the database."""
    place = bed.cluster.place.sockets
    with Proxy(place / ".s.PGSQL.5432", folder=bed.cluster.proxied) as proxy:
        slow = bed.cluster.url(bed.installation.database, host=str(bed.cluster.proxied))
        for name in ("worker", "web"):
            bed.installation.kill(name)
            bed.installation.add(name, DATABASE_URL=slow)
        try:
            messages = bed.stories("F21", count=150)
            sending = bed.send(messages, rate=40, patience=10)
            proxy.delay = 0.02
            sending.reach(0.3)
            proxy.cut_after(20_000)
            sending.reach(0.5)
            proxy.reset()
            proxy.silence()
            time.sleep(3)
            proxy.speak()
            sending.reach(0.8)
            proxy.delay = 0
            until(lambda: sending.done, seconds=60, what="everything is accepted")
        finally:
            for name in ("worker", "web"):
                bed.installation.remove(name)
                bed.installation.add(name)
    assert bed.settle(sending).broken == []
    assert sending.heard.slowest_refusal < 8
