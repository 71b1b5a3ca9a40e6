"""Ninety days of messages from the simulated distributor, by order."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache

import orjson

from connectors.catalog import connectors_by_slug
from connectors.sdk.check_event_size_limits import validate_and_flag_event
from connectors.sdk.connector import Connector, RawMessage
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import PayloadError
from visibility.management.demo_sources import SOURCES
from visibility.simulator.generator import SimulatedWorld, WorldSetting
from visibility.simulator.past_and_live_streams import order_indexes_until
from visibility.simulator.simulated_order import (
    ERP_KINDS,
    SimulatedOrder,
    SimulatedStep,
    to_datetime,
)
from visibility.simulator.vendors import build_full_or_truncated_message, business_central

# Tuesday, 2026-03-31 15:00 UTC.
STARTED = 1_774_969_200.0
NOW = to_datetime(STARTED)
ENTITY = "x-bc-entity"


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One message as received."""

    source: str
    identity: str
    body: bytes
    headers: dict[str, str]
    at: datetime


@cache
def world() -> SimulatedWorld:
    """Forty orders per business day, with every fault at its usual rate."""
    anchor = STARTED - STARTED % 86400
    return SimulatedWorld(
        WorldSetting(seed=7, anchor=anchor, started=STARTED, days=90, per_day=40.0, speed=1.0)
    )


def indices() -> list[int]:
    """The indexes of the orders of the ninety days."""
    return list(order_indexes_until(world(), STARTED))


def messages(n: int) -> list[ReceivedMessage]:
    """Every message about order `n`, including duplicates and truncated messages."""
    order = world().order(n)
    sent = [(i, step) for i, step in enumerate(order.steps) if step.send_at <= STARTED]
    return [message_of_step(order, step, index) for index, step in sent]


def message_of_step(order: SimulatedOrder, step: SimulatedStep, index: int) -> ReceivedMessage:
    """The message that the system sends at this step, maybe truncated."""
    if step.kind in ERP_KINDS:
        name = business_central.COLLECTIONS[step.kind]
        body = orjson.dumps(business_central.build_entity(order, step))
        return ReceivedMessage(
            "erp", f"{name} {order.n} {index}", body, {ENTITY: name}, to_datetime(step.send_at)
        )
    request = build_full_or_truncated_message(order, step)
    headers = {name.lower(): text for name, text in request.headers.items()}
    return ReceivedMessage(
        request.source, request.identity, request.body, headers, to_datetime(step.send_at)
    )


@cache
def _connector(source: str) -> Connector:
    code, _, role, config, _ = SOURCES[source]
    connector: Connector = connectors_by_slug()[code]({**config, "role": role, "source": source})
    return connector


def events(message: ReceivedMessage) -> list[CanonicalEvent]:
    """The events of a message; none if it cannot be parsed."""
    try:
        parsed = _connector(message.source).parse(
            RawMessage(message.body, message.headers, message.at)
        )
    except PayloadError:
        return []
    return [validate_and_flag_event(event, message.at) for event in parsed.events]
