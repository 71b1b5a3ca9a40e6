"""The simulated Tryton answers as Tryton 8.0 does, and shares a world with Business Central."""

from collections.abc import Iterator

import httpx2
import pytest

from connectors.sdk.connector import RawMessage
from connectors.sdk.events import EventType
from connectors.sdk.webhook_and_poll_types import HttpRequest, HttpResponse, PollError
from connectors.systems.tryton.connector import Tryton
from tests.unit.simulator.conftest import STARTED, world_setting
from visibility.management.demo_sources import demo_sources, erp_url
from visibility.simulator.erp_landscape import ErpChoice, ErpLandscape, ErpSystem
from visibility.simulator.generator import DAY, SimulatedWorld
from visibility.simulator.past_and_live_streams import PastStream
from visibility.simulator.read_setup_file import SimulatedErpAccess, SimulatorSetup
from visibility.simulator.simulated_erps import SimulatedErps
from visibility.simulator.simulated_order import to_datetime

SECRET = "password-of-the-simulated-erp"


class TrytonPollingClient:
    """The HTTP client of the poller."""

    def send(self, request: HttpRequest) -> HttpResponse:
        response = httpx2.request(
            request.method,
            request.url,
            headers=dict(request.headers),
            content=request.body,
            timeout=10,
        )
        return HttpResponse(response.status_code, dict(response.headers), response.content)


@pytest.fixture(scope="module")
def world() -> SimulatedWorld:
    """A company without many live orders."""
    return SimulatedWorld(world_setting(per_day=12.0, speed=1.0))


@pytest.fixture
def erps(world: SimulatedWorld) -> Iterator[SimulatedErps]:
    """Both ERPs, with a cut-over five days ago."""
    access = dict.fromkeys(("erp", "new_erp"), SimulatedErpAccess(0, SECRET))
    running = SimulatedErps(SimulatorSetup("", access, ErpChoice.BOTH, 5, {}), world)
    running.add_rows(PastStream(world).rows)
    running.start()
    yield running
    running.stop()


def poll(erps: SimulatedErps, *, secret: str = SECRET, **config: str) -> list[RawMessage]:
    base_url = erp_url(ErpSystem.TRYTON, erps.servers["new_erp"].port)
    settings = {**demo_sources(ErpChoice.BOTH)["new_erp"].settings, **config}
    connector = Tryton({**settings, "source": "new_erp", "base_url": base_url})
    return [
        RawMessage(record.body, record.headers, to_datetime(STARTED))
        for page in connector.poll(TrytonPollingClient(), "", [secret.encode()])
        for record in page.records
    ]


def test_poller_reads_every_row_once_also_those_that_were_migrated_at_once(
    erps: SimulatedErps, world: SimulatedWorld
) -> None:
    rows = PastStream(world).rows
    orders = {n: world.order(n) for _, n, _, _ in rows}
    by_source = erps.landscape.rows_by_source(rows, orders.values())
    migrated = [order for order in orders.values() if erps.landscape.is_migrated(order)]
    assert len(migrated) > 1
    assert len(by_source["erp"]) + len(by_source["new_erp"]) == len(rows) + len(migrated)
    messages = poll(erps, page_size="20")
    assert len({message.body for message in messages}) == len(by_source["new_erp"])
    assert erps.servers["new_erp"].feed.unread_count() == 0
    connector = Tryton({**demo_sources(ErpChoice.BOTH)["new_erp"].settings, "source": "new_erp"})
    parsed = [connector.parse(message) for message in messages]
    assert not any(result.errors or result.ignored for result in parsed)
    assert EventType.UNMAPPED not in {event.type for p in parsed for event in p.events}


def test_wrong_password_and_unknown_database_are_refused(erps: SimulatedErps) -> None:
    for wrong in ({"secret": "other"}, {"database": "other"}, {"user": "other"}):
        with pytest.raises(PollError):
            poll(erps, **wrong)


def test_order_with_a_shipment_is_finished_in_the_old_erp(world: SimulatedWorld) -> None:
    landscape = ErpLandscape(ErpChoice.BOTH, STARTED - 4 * DAY)
    for n in {row[1] for row in PastStream(world).rows}:
        order = world.order(n)
        steps = [s for s in order.steps if s.kind.source == "erp"]
        sources = [landscape.reporting_source(order, step) for step in steps]
        assert sources == sorted(sources, key=["erp", "new_erp"].index)
        has_left = any(s.at < landscape.cut_over_at for s in order.shipments)
        assert not (has_left and "new_erp" in sources)
