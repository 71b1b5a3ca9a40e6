"""CloudEvents 1.0 over HTTP: structured, binary, batched, or one on each line."""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar
from urllib.parse import unquote

from connectors.sdk import auth, event_json, standard_webhooks
from connectors.sdk import trace_context as trace
from connectors.sdk.connector import Connector, Message, Parsed, Reply, Request, Role
from connectors.sdk.events import CanonicalEvent
from connectors.sdk.payload import Node, PayloadError, Reason, load_json
from connectors.sdk.timestamps import instant

# A larger document is read again rather than kept.
REMEMBERED = 65_536
NAMES = ("specversion", "id", "source", "type", "time", "subject", "dataschema")


class CloudEvents(Connector):
    """Events whose `type` is one of our own words and whose `data` is our own event data. The two
    names of an event, source and id, make it unique. Authentication is by agreement: a bearer
    token, or the headers of Standard Webhooks."""

    _latest: tuple[bytes, Any] | None = None
    slug = "cloudevents"
    title = "CloudEvents"
    role = Role.OTHER
    settings: ClassVar[Mapping[str, str]] = {
        **event_json.SETTINGS,
        "origins": "Who may deliver, comma separated WebHook-Request-Origin values (default any).",
        "rate": "Requests a minute that are allowed in the handshake (default *, no limit named).",
    }
    kept_headers: ClassVar[frozenset[str]] = (
        frozenset({"content-type", *(f"ce-{name}" for name in NAMES)})
        | standard_webhooks.HEADERS
        | standard_webhooks.SVIX
    )

    def handshake(self, request: Request, secrets: Sequence[bytes]) -> Reply | None:
        """OPTIONS with WebHook-Request-Origin asks whether this sender may deliver here."""
        origin = request.headers.get("webhook-request-origin", "")
        if request.method != "OPTIONS" or not origin:
            return None
        allowed = {o.strip() for o in self.config.get("origins", "").split(",")} - {""}
        printable = origin.isascii() and origin.isprintable() and len(origin) <= 255
        if not printable or (allowed and origin not in allowed):
            return Reply(403)
        headers = {
            "allow": "POST",
            "webhook-allowed-origin": origin,
            "webhook-allowed-rate": self.config.get("rate") or "*",
        }
        return Reply(200, headers=headers)

    def verify(self, request: Request, secrets: Sequence[bytes], now: datetime) -> None:
        """A bearer token, or a Standard Webhooks signature."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            auth.check_token(token.strip(), secrets)
        else:
            standard_webhooks.check(request.headers, request.body, secrets, now)

    def sign(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """The bearer token."""
        return {
            "authorization": f"Bearer {secret.decode('utf-8', 'replace')}",
            "content-type": "application/cloudevents+json",
        }

    def dedupe_key(self, request: Request) -> str:
        """Source and id of a single event; of several the content decides."""
        headers = request.headers
        if headers.get("ce-id") and headers.get("ce-source"):
            return f"{unquote(headers['ce-source'])} {unquote(headers['ce-id'])}"
        try:
            root = self._root(request.body)
            return f"{root.need('source')} {root.need('id')}"
        except PayloadError:
            return ""

    def trace(self, request: Request) -> Mapping[str, str]:
        """The extension attributes of distributed tracing, in headers or in the one event."""
        names = (trace.EVENT, trace.EVENT_STATE)
        told = {n: unquote(request.headers[n]) for n in names if n in request.headers}
        if told or b'"traceparent"' not in request.body:
            return told
        try:
            root = self._root(request.body)
            return {n: root.text(n.removeprefix("ce-")) for n in names}
        except PayloadError:
            return {}

    def infer_headers(self, body: bytes) -> Mapping[str, str]:
        """One event on each line, where the body is several documents."""
        lines = [line for line in body.splitlines() if line.strip()]
        several = len(lines) > 1 and all(line.lstrip().startswith(b"{") for line in lines)
        return {"content-type": "application/x-ndjson"} if several else {}

    def parse(self, message: Message) -> Parsed:
        """Every event on its own; one that can't be read leaves the others whole."""
        events: list[CanonicalEvent] = []
        problems: list[PayloadError] = []
        readers = list(self._readers(message))
        for reader in readers:
            try:
                events.append(reader())
            except PayloadError as error:
                problems.append(error)
        if len(readers) == 1 and problems:
            raise problems[0]
        return Parsed(tuple(events), tuple(problems), "" if readers else "an empty batch")

    def _readers(self, message: Message) -> Iterator[Callable[[], CanonicalEvent]]:
        """One call for each event, so that each can fail alone. The body decides more than its
        content type: a list is a batch."""
        if message.headers.get("ce-specversion") or message.headers.get("ce-id"):
            yield partial(self._binary, message)
            return
        if message.headers.get("content-type", "").partition(";")[0] == "application/x-ndjson":
            for place, line in enumerate(message.body.splitlines(), 1):
                if line.strip():
                    yield partial(self._line, line, place)
            return
        root = self._root(message.body)
        for node in root.elements() if isinstance(root.value, list) else [root]:
            yield partial(self._event, node, node)

    def _root(self, body: bytes) -> Node:
        """The document; of one that is asked for again (its events, its key, its trace) at once."""
        known = self._latest
        if known is None or known[0] is not body:
            known = (body, load_json(body).value)
            self._latest = known if len(body) < REMEMBERED else None
        return Node(known[1], "", [False])

    def _line(self, line: bytes, place: int) -> CanonicalEvent:
        try:
            root = self._root(line)
            return self._event(root, root)
        except PayloadError as error:
            path = f"line {place} {error.path}".strip()
            raise PayloadError(error.reason, path, error.detail) from None

    def _binary(self, message: Message) -> CanonicalEvent:
        """Attributes in `ce-` headers, percent-encoded UTF-8; the body is the data."""
        names = {n: unquote(message.headers.get(f"ce-{n}", "")) for n in NAMES}
        content = message.headers.get("content-type", "")
        envelope = Node({n: t for n, t in names.items() if t}, "", [False])
        return self._event(envelope, lambda: _json(message.body, content))

    def _event(self, envelope: Node, data: Node | Callable[[], Node]) -> CanonicalEvent:
        if not isinstance(envelope.value, dict):
            raise PayloadError(Reason.SCHEMA, envelope.path or "$", "expected an event object")
        version = envelope.need("specversion")
        identity, sender, word = (envelope.need(n) for n in ("id", "source", "type"))
        if version != "1.0":
            where = envelope.at("specversion").path
            raise PayloadError(Reason.SCHEMA, where, f"expected 1.0, got {version[:20]!r}")
        time, path = envelope.at("time"), envelope.at("type").path
        try:
            found = _structured(data) if isinstance(data, Node) else data()
        except PayloadError:
            if event_json.event_type(word, self.config) is None:
                raise event_json.unknown(word, path) from None
            raise
        return event_json.read(
            found,
            word=word,
            path=path,
            key=identity,
            at=instant(time.as_text(), time.path, self.config.get("zone") or None),
            config=self.config,
            source=self.source,
            scope=f"{sender} ",
        )


def _json(raw: bytes, content: str) -> Node:
    kind = content.partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise PayloadError(Reason.MEDIA, "data", f"the data is {kind[:80]}, not JSON")
    return load_json(raw)


def _structured(event: Node) -> Node:
    """`data`, or `data_base64` decoded."""
    content = event.text("datacontenttype")
    if event.has("data_base64"):
        node = event.at("data_base64")
        try:
            raw = base64.b64decode(node.as_text().encode(), validate=True)
        except binascii.Error:
            raise PayloadError(Reason.ENCODING, node.path, "this is not base64") from None
        return _json(raw, content)
    data = event.at("data")
    if isinstance(data.value, str):
        raise PayloadError(Reason.MEDIA, data.path, f"the data is {content or 'text'}, not JSON")
    return data
