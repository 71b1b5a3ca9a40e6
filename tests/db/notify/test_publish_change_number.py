"""Publishing changes reaches subscribers and never harms the publisher."""

import json
import logging
import socket
import time

import pytest
import redis
from django.conf import settings
from pytest_django import Settings

from visibility.notify import publish_change_number


@pytest.fixture(autouse=True)
def _new_broadcaster() -> None:
    publish_change_number.broadcaster.cache_clear()


def test_subscriber_receives_change_number_and_kinds() -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client, client.pubsub() as subscription:
        subscription.subscribe(publish_change_number.redis_channel_name())
        assert subscription.get_message(timeout=5)
        publish_change_number.broadcast_change_number(42, ["alert"])
        message = subscription.get_message(timeout=5)
    assert message
    assert json.loads(message["data"]) == {"head": 42, "kinds": ["alert"]}


def test_installations_sharing_redis_use_different_channels(settings: Settings) -> None:
    channel = publish_change_number.redis_channel_name()
    settings.REDIS_PREFIX = "another"
    assert publish_change_number.redis_channel_name() != channel


def test_unreachable_redis_is_logged_once_then_paused(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            publish_change_number.broadcast_change_number(1, ["order"])
    assert [record.msg for record in caplog.records] == [
        {"event": "live_publish_failed", "error": "ConnectionError"}
    ]


def test_unresponsive_redis_does_not_block_publishing(settings: Settings) -> None:
    with socket.socket() as unresponsive:
        unresponsive.bind(("127.0.0.1", 0))
        unresponsive.listen()
        settings.REDIS_URL = f"redis://127.0.0.1:{unresponsive.getsockname()[1]}/0"
        began = time.monotonic()
        for _ in range(100):
            publish_change_number.broadcast_change_number(1, ["order"])
        assert time.monotonic() - began < 3


def test_publishing_resumes_after_the_pause(settings: Settings) -> None:
    good = settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    publish_change_number.broadcast_change_number(1, ["order"])
    publisher = publish_change_number.broadcaster()
    publisher.client = redis.Redis.from_url(good)
    publisher.paused_until = 0.0
    with redis.Redis.from_url(good) as client, client.pubsub() as subscription:
        subscription.subscribe(publish_change_number.redis_channel_name())
        assert subscription.get_message(timeout=5)
        publish_change_number.broadcast_change_number(7, ["source"])
        assert subscription.get_message(timeout=5)
