"""Messages arrive once each, signed, however the other side behaves."""

import asyncio
import threading
import time
from collections.abc import Callable

from tests.management.simulator.sink import Answer, Post, Sink
from visibility.simulator.sender import Hook, Sender
from visibility.simulator.vendors.message import Message

HOOKS = {"edi": Hook("/hooks/edi", "secret")}


def send(url: str, count: int, *, said: list[str] | None = None) -> Sender:
    """Send this many, and wait until all were taken."""

    async def run() -> Sender:
        sender = Sender(url, HOOKS, (said if said is not None else []).append, connections=4)
        sender.start()
        for number in range(count):
            message = Message("edi", str(number).encode(), {}, str(number))
            await sender.put(message, lambda: None)
        await sender.flush()
        await sender.stop()
        return sender

    return asyncio.run(asyncio.wait_for(run(), 30))


def first(statuses: dict[int, Answer]) -> Callable[[Post], Answer]:
    """Answers for the first posts by number, then 202."""
    lock, seen = threading.Lock(), [0]

    def answer(post: Post) -> Answer:
        with lock:
            seen[0] += 1
            return statuses.get(seen[0], (202, {}))

    return answer


def test_every_message_arrives_once(sink: Sink) -> None:
    sender = send(sink.url, 200)
    assert sorted(int(p.body) for p in sink.posts) == list(range(200))
    assert sender.sent == 200


def test_a_refused_message_is_sent_again(sink: Sink) -> None:
    said: list[str] = []
    sink.answer = first({1: (503, {}), 2: (500, {}), 3: (404, {})})
    send(sink.url, 20, said=said)
    assert sorted(int(p.body) for p in sink.posts) == list(range(20))
    assert any("trying again" in line for line in said)


def test_retry_after_is_obeyed(sink: Sink) -> None:
    sink.answer = first({1: (429, {"retry-after": "1.2"})})
    begun = time.monotonic()
    send(sink.url, 1)
    assert time.monotonic() - begun >= 1.2


def test_a_closed_connection_is_opened_again(sink: Sink) -> None:
    sink.answer = lambda _: (202, {"connection": "close"})
    said: list[str] = []
    send(sink.url, 30, said=said)
    assert len(sink.posts) == 30
    assert said == []


def test_a_message_that_can_never_be_taken_does_not_stop_the_others(sink: Sink) -> None:
    sink.answer = lambda post: (413 if post.body == b"3" else 202, {"retry-after": "0"})
    sender = send(sink.url, 10)
    assert len(sink.posts) == 9
    assert sender.given_up == 1


def test_it_waits_for_a_product_that_is_not_there_yet() -> None:
    gone = Sink()
    port = int(gone.server_address[1])
    gone.close()
    made: list[Sink] = []

    def begin() -> None:
        time.sleep(0.6)
        made.append(Sink(port=port))

    threading.Thread(target=begin).start()
    send(f"http://127.0.0.1:{port}", 3)
    assert len(made[0].posts) == 3
    made[0].close()
