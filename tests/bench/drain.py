"""The whole pipeline: a backlog of messages until every order, clock and number is written."""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice

from celery import current_app
from django.db import connection, transaction

from connectors.sdk.events import iso
from tests.bench import course
from tests.bench.intake import cpu_each, rates, spent
from tests.bench.report import Line
from tests.bench.size import Size
from tests.bench.stage import Stage, Took, rows, until
from visibility.db.clock import database_now
from visibility.ingest.inbox import Arrival, keep
from visibility.models import Source
from visibility.pipeline.stages import nudge

CHUNK = 500
QUIET = """
SELECT NOT EXISTS (SELECT FROM visibility_inbound_message WHERE state = 'waiting')
    AND NOT EXISTS (SELECT FROM visibility_refold WHERE touched_at <= clock_timestamp())
    AND NOT EXISTS (SELECT FROM visibility_dirtycell)
"""
OURS = """
SELECT o.number, m.code, m.reached_at FROM visibility_order o
JOIN visibility_milestone m ON m.order_id = o.object_id WHERE o.number LIKE %s
"""
PLAIN = """
SELECT o.number, m.code, m.reached_at FROM plain_order o
JOIN plain_milestone m ON m.order_id = o.id WHERE o.number LIKE %s
"""


class Disagree(AssertionError):
    """The two ways made different orders of the same messages."""


def drain(stage: Stage, size: Size) -> list[Line]:
    """One worker, the plain way's one worker, two workers; round by round."""
    ours, plain, two = [], [], []
    at = four_days_ago()
    for turn in range(size.repeats):
        ours.append(drained(stage, list(course.messages(f"D{turn}", 0, size.drain, at))))
        plain.append(plainly_drained(stage, f"D{turn}", size.plain_drain, at))
        more = list(course.messages(f"E{turn}", 0, size.drain, at))
        two.append(drained(stage, more, workers=2))
    agree(stage, f"D{size.repeats - 1}", size.plain_drain)
    one, plainly, both = (rates(runs) for runs in (ours, plain, two))
    return [
        Line("drain", one, plainly),
        Line("drain_cpu", cpu_each(ours), cpu_each(plain), note=spent(ours)),
        Line("drain_two", both, note=f"{both.median / one.median:.2f}x one worker"),
    ]


def four_days_ago() -> datetime:
    """So that everything of an order has happened by now."""
    return course.whole_second(database_now()) - timedelta(days=4)


def put(messages: Iterable[course.Told]) -> None:
    """Keep messages as if they had come through the hooks, all in one commit."""
    sources = dict(Source.objects.values_list("slug", "id"))
    now = database_now()
    left = (
        Arrival(
            sources[told.source],
            told.key,
            {**course.signed(told, now), "content-type": "application/json"},
            told.body,
        )
        for told in messages
    )
    with transaction.atomic():
        while chunk := list(islice(left, CHUNK)):
            keep(chunk)


def drained(stage: Stage, messages: list[course.Told], *, workers: int = 1) -> Took:
    """Idle workers, a backlog that appears at once, and the bell that intake would ring."""
    names = [f"worker{n}" for n in range(workers)]
    for name in names:
        stage.start_worker(name)
    until(lambda: len(current_app.control.ping(timeout=0.5) or ()) == workers, "the workers")
    put(messages[:1])
    until(lambda: _rung() and _quiet(), "the first message")
    meter = stage.meter(stage.product)
    put(messages[1:])
    meter.start()
    began = time.perf_counter()
    ended = until(lambda: _rung() and _quiet(), "the end of the backlog")
    used = meter.used()
    stage.product.stop(*names)
    return Took(len(messages) - 1, ended - began, used)


def _rung() -> bool:
    nudge("advance")
    return True


def _quiet() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(QUIET)
        return bool(cursor.fetchone()[0])


def plainly_drained(stage: Stage, prefix: str, orders: int, at: datetime) -> Took:
    """Tasks are queued beforehand; from the first that is done to the last."""
    stage.plain.run("tests.bench.plain.fill", prefix, str(orders), iso(at))
    before = plain_done(stage)
    wanted = orders * len(course.STEPS)
    stage.start_plain_worker()
    began = until(lambda: plain_done(stage) > before, "the plain way's first task", every=0.005)
    first = plain_done(stage)
    meter = stage.meter(stage.plain)
    meter.start()
    ended = until(lambda: plain_done(stage) == before + wanted, "the plain way's end", every=0.02)
    used = meter.used()
    stage.plain.stop("plain_worker")
    return Took(before + wanted - first, ended - began, used)


def plain_done(stage: Stage) -> int:
    """Events the plain way has taken on."""
    return int(rows(stage.servers.plain, "SELECT count(*) FROM plain_event WHERE processed")[0][0])


def agree(stage: Stage, prefix: str, orders: int) -> int:
    """Both ways reached the same milestones at the same times; how many. Raises Disagree."""
    numbers = {f"SO-{prefix}{n:07}" for n in range(orders)}
    found = [
        {row for row in rows(url, statement, f"SO-{prefix}%") if row[0] in numbers}
        for url, statement in ((stage.servers.product, OURS), (stage.servers.plain, PLAIN))
    ]
    if found[0] != found[1] or len(found[0]) != orders * len(course.STEPS):
        raise Disagree([len(each) for each in found], sorted(found[0] ^ found[1])[:5])
    return len(found[0])
