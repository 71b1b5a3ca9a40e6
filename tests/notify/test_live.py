"""The doorbell of the live sockets: it reaches who listens, and never harms who rings."""

import json
import logging
import socket
import time

import pytest
import redis
from django.conf import settings
from pytest_django import Settings

from visibility.notify import broadcast


@pytest.fixture(autouse=True)
def _new_doorbell() -> None:
    broadcast.doorbell.cache_clear()


def test_a_listener_hears_the_head_and_the_kinds() -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client, client.pubsub() as ear:
        ear.subscribe(broadcast.channel())
        assert ear.get_message(timeout=5)
        broadcast.announce(42, ["alert"])
        told = ear.get_message(timeout=5)
    assert told
    assert json.loads(told["data"]) == {"head": 42, "kinds": ["alert"]}


def test_installations_that_share_a_redis_do_not_hear_each_other(settings: Settings) -> None:
    one = broadcast.channel()
    settings.REDIS_PREFIX = "another"
    assert broadcast.channel() != one


def test_a_dead_redis_is_no_error_and_is_left_alone_for_a_while(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            broadcast.announce(1, ["order"])
    assert [record.getMessage() for record in caplog.records] == [
        "event=doorbell_failed error=ConnectionError"
    ]


def test_a_redis_that_does_not_answer_holds_nobody_up(settings: Settings) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        settings.REDIS_URL = f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"
        began = time.monotonic()
        for _ in range(100):
            broadcast.announce(1, ["order"])
        assert time.monotonic() - began < 3


def test_after_the_pause_it_rings_again(settings: Settings) -> None:
    good = settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    broadcast.announce(1, ["order"])
    bell = broadcast.doorbell()
    bell.client = redis.Redis.from_url(good)
    bell.quiet_until = 0.0
    with redis.Redis.from_url(good) as client, client.pubsub() as ear:
        ear.subscribe(broadcast.channel())
        assert ear.get_message(timeout=5)
        broadcast.announce(7, ["source"])
        assert ear.get_message(timeout=5)
