"""Ninety days of the simulated distributor, in its systems' own words, order by order."""

import os
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import orjson

from connectors.catalog import systems
from connectors.sdk.connector import Connector, Message
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import PayloadError
from connectors.sdk.validation import checked
from visibility.management.commands.demo import SOURCES
from visibility.simulator.generator import Setting, World
from visibility.simulator.model import ERP, Order, Step, when
from visibility.simulator.stream import orders_until
from visibility.simulator.vendors import business_central, write

# Every order of the ninety days, every permutation: `WHOLE_REFERENCE=1 manage.py test ...`.
WHOLE = os.environ.get("WHOLE_REFERENCE") == "1"
# Tuesday, 2026-03-31 15:00 UTC.
STARTED = 1_774_969_200.0
NOW = when(STARTED)
ENTITY = "x-bc-entity"


@dataclass(frozen=True, slots=True)
class Told:
    """One message as it arrives."""

    source: str
    identity: str
    body: bytes
    headers: dict[str, str]
    at: datetime


@cache
def world() -> World:
    """Forty orders a business day, with every fault at its usual rate."""
    anchor = STARTED - STARTED % 86400
    return World(Setting(seed=7, anchor=anchor, started=STARTED, days=90, per_day=40.0, speed=1.0))


def indices() -> list[int]:
    """The orders of the ninety days."""
    return list(orders_until(world(), STARTED))


def messages(n: int) -> list[Told]:
    """Everything that had been said of order `n` by now, copies and torn messages included."""
    order = world().order(n)
    heard = [(place, step) for place, step in enumerate(order.steps) if step.send_at <= STARTED]
    return [_told(order, step, place) for place, step in heard]


def _told(order: Order, step: Step, place: int) -> Told:
    if step.kind in ERP:
        name = business_central.COLLECTIONS[step.kind]
        body = orjson.dumps(business_central.row(order, step))
        return Told("erp", f"{name} {order.n} {place}", body, {ENTITY: name}, when(step.send_at))
    made = write(order, step)
    headers = {name.lower(): text for name, text in made.headers.items()}
    return Told(made.source, made.identity, made.body, headers, when(step.send_at))


@cache
def _connector(source: str) -> Connector:
    code, _, role, config, _ = SOURCES[source]
    made: Connector = systems()[code]({**config, "role": role, "source": source})
    return made


def events(told: Told) -> list[CanonicalEvent]:
    """What its connector makes of a message; nothing of one that is torn."""
    try:
        parsed = _connector(told.source).parse(Message(told.body, told.headers, told.at))
    except PayloadError:
        return []
    return [checked(event, told.at) for event in parsed.events]
