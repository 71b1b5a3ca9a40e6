"""The messages of the demo data: some weeks of the simulated distributor, up to one moment."""

from collections.abc import Iterator, Mapping
from datetime import datetime

import orjson

from connectors.sdk.webhook_and_poll_types import (
    HttpRequest,
    HttpResponse,
    PolledRecord,
    WebhookRequest,
)
from visibility.ingest.insert_messages import IncomingMessage
from visibility.ingest.message_of_request import build_message_to_store
from visibility.models.sources_and_messages import Source
from visibility.simulator.erp_rows_by_modification_time import MAX_ROWS, ErpFeed
from visibility.simulator.faults import FaultRates
from visibility.simulator.generator import DAY, SimulatedWorld, WorldSetting
from visibility.simulator.past_and_live_streams import PastStream
from visibility.simulator.vendors import build_full_or_truncated_message, signed_headers
from visibility.simulator.vendors.message import SimulatedMessage
from visibility.web.intake.source_cache import IntakeSource

SEED = 7
DAYS = 21
ORDERS_PER_DAY = 12.0
# More mistakes than in the simulation of months: some of each kind must be among few orders.
RATES = FaultRates(
    silent_feed=0.0,
    stuck_order=0.06,
    no_scan=0.06,
    unknown_status=0.02,
    bad_payload=0.002,
    price_drift=0.02,
)
ERP = "erp"
# Some headers are written with the signature, such as the ID of a message.
UNUSED_SECRET = "unused-secret-of-demo-data-0123456789"  # noqa: S105  # nothing verifies it


class SimulatedErpClient:
    """Answers the poller of the ERP in this process; no request leaves it."""

    def __init__(self, feed: ErpFeed) -> None:
        self._feed = feed

    def send(self, request: HttpRequest) -> HttpResponse:
        """Return all rows of the collection that the address names, on one page."""
        name = request.url.partition("?")[0].rpartition("/")[2]
        rows, _ = self._feed.read_page(name, since=0.0, start=None, size=MAX_ROWS)
        return HttpResponse(200, {}, orjson.dumps({"value": rows}))


def demo_world(ends_at: datetime) -> SimulatedWorld:
    """The simulated distributor until then: equal for equal times."""
    started = float(int(ends_at.timestamp()))
    return SimulatedWorld(
        WorldSetting(
            seed=SEED,
            anchor=started - started % DAY,
            started=started,
            days=DAYS,
            per_day=ORDERS_PER_DAY,
            speed=1.0,
            rates=RATES,
        )
    )


def demo_messages(sources: Mapping[str, Source], ends_at: datetime) -> list[IncomingMessage]:
    """All messages, the same in each call with the same `ends_at`, in the same order.

    `sources`: by the name of the simulated system, such as `shop`.
    """
    world = demo_world(ends_at)
    past, started = PastStream(world), world.setting.started
    feed = ErpFeed(world)
    feed.add_rows(past.rows)
    intake = {
        system: IntakeSource(source.pk, source.slug, source.build_connector(), ())
        for system, source in sources.items()
    }
    messages = []
    for n, step in past.orders_and_steps_newest_day_first():
        message = build_full_or_truncated_message(world.order(n), step)
        messages.append(pushed_message(intake[message.source], message, started))
    # The ERP is last, so that no shipment of it waits for a scan that is not stored yet.
    return messages + [
        _polled_message(sources[ERP], record) for record in _poll_erp(sources[ERP], feed)
    ]


def _poll_erp(source: Source, feed: ErpFeed) -> Iterator[PolledRecord]:
    for page in source.build_connector().poll(
        SimulatedErpClient(feed), "", [UNUSED_SECRET.encode()]
    ):
        yield from page.records


def _polled_message(source: Source, record: PolledRecord) -> IncomingMessage:
    return IncomingMessage(source.pk, record.dedupe_key, record.headers, record.body)


def pushed_message(
    source: IntakeSource, message: SimulatedMessage, sent_at: float
) -> IncomingMessage:
    """The message as the intake stores it. Nobody sends it, so no signature is checked."""
    headers = signed_headers(message, UNUSED_SECRET, sent_at)
    request = WebhookRequest("POST", f"/hooks/{source.slug}", {}, headers, message.body)
    return build_message_to_store(
        source.source_id, source.connector, source.connector.dedupe_key(request), request
    )
