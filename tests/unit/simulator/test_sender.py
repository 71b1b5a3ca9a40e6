"""Every message arrives once and signed, whatever the server answers."""

import asyncio
import threading
import time
from collections.abc import Callable

from tests.builders.sink import RecordedPost, RecordingServer, StatusAndHeaders
from visibility.simulator.sender import MessageSender, WebhookPathAndSecret
from visibility.simulator.vendors.message import SimulatedMessage

HOOKS = {"edi": WebhookPathAndSecret("/hooks/edi", "secret")}


def send(url: str, count: int, *, log: list[str] | None = None) -> MessageSender:
    """Send `count` messages and wait until all are delivered or given up."""

    async def run() -> MessageSender:
        sender = MessageSender(url, HOOKS, (log if log is not None else []).append, connections=4)
        sender.start()
        for number in range(count):
            message = SimulatedMessage("edi", str(number).encode(), {}, str(number))
            await sender.enqueue(message, lambda: None)
        await sender.flush()
        await sender.stop_and_drop_unsent()
        return sender

    return asyncio.run(asyncio.wait_for(run(), 30))


def respond_first(
    statuses: dict[int, StatusAndHeaders],
) -> Callable[[RecordedPost], StatusAndHeaders]:
    """Give these responses to the posts with these numbers, and 202 to all others."""
    lock, seen = threading.Lock(), [0]

    def answer(post: RecordedPost) -> StatusAndHeaders:
        with lock:
            seen[0] += 1
            return statuses.get(seen[0], (202, {}))

    return answer


def test_every_message_arrives_once(sink: RecordingServer) -> None:
    sender = send(sink.url, 200)
    assert sorted(int(p.body) for p in sink.posts) == list(range(200))
    assert sender.sent == 200


def test_rejected_message_is_retried(sink: RecordingServer) -> None:
    log: list[str] = []
    sink.respond = respond_first({1: (503, {}), 2: (500, {}), 3: (404, {})})
    send(sink.url, 20, log=log)
    assert sorted(int(p.body) for p in sink.posts) == list(range(20))
    assert any("retrying" in line for line in log)


def test_sender_waits_for_retry_after(sink: RecordingServer) -> None:
    sink.respond = respond_first({1: (429, {"retry-after": "1.2"})})
    started = time.monotonic()
    send(sink.url, 1)
    assert time.monotonic() - started >= 1.2


def test_closed_connection_is_reopened(sink: RecordingServer) -> None:
    sink.respond = lambda _: (202, {"connection": "close"})
    log: list[str] = []
    send(sink.url, 30, log=log)
    assert len(sink.posts) == 30
    assert log == []


def test_invalid_message_is_given_up_and_others_arrive(sink: RecordingServer) -> None:
    sink.respond = lambda post: (413 if post.body == b"3" else 202, {"retry-after": "0"})
    sender = send(sink.url, 10)
    assert len(sink.posts) == 9
    assert sender.given_up == 1


def test_sender_waits_until_the_server_starts() -> None:
    stopped = RecordingServer()
    port = int(stopped.server_address[1])
    stopped.close()
    started: list[RecordingServer] = []

    def start_later() -> None:
        time.sleep(0.6)
        started.append(RecordingServer(port=port))

    threading.Thread(target=start_later).start()
    send(f"http://127.0.0.1:{port}", 3)
    assert len(started[0].posts) == 3
    started[0].close()
