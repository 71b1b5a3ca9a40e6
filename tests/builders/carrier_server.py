"""A carrier's API on loopback: a token for clients, documents about numbers, and refusals."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from tests.builders.vendor_server import Answer, VendorRequest, VendorServer

CLIENT_ID, CLIENT_SECRET = "carrier-client", "carrier-client-secret"


class CarrierServer(VendorServer):
    """Answers what `respond` makes of a request that is authorized and not refused.

    `token_path`: where a client gets a token by RFC 6749, section 4.4, with its credentials in a
    form or by HTTP Basic. `refusals` are statuses that the next requests get.
    """

    def __init__(self, respond: Callable[[VendorRequest], Answer], token_path: str = "") -> None:
        super().__init__([])
        self.respond, self.token_path = respond, token_path
        self.refusals: list[int] = []
        self.asked: list[VendorRequest] = []
        # The scans of each number, for `respond`.
        self.scans: dict[str, list[Any]] = {}
        if token_path:
            self.authorize = self.has_current_token

    def answer(self, request: VendorRequest) -> Answer:
        """The answer to a request."""
        self.requests.append(request)
        if self.token_path and request.path == self.token_path:
            return self._answer_token_of_client(request)
        if self.refusals:
            return Answer(self.refusals.pop(0), {"error": "refused"}, {"Retry-After": "600"})
        if not self.authorize(request):
            return Answer(401, {"error": "not authorized"})
        self.asked.append(request)
        return self.respond(request)

    def expire_token(self) -> None:
        """Accept none of the tokens that were issued."""
        self.access_tokens.append("expired")

    def _answer_token_of_client(self, request: VendorRequest) -> Answer:
        form = dict(parse_qsl(request.body.decode()))
        given = form.get("client_id", ""), form.get("client_secret", "")
        basic = request.headers.get("authorization", "").removeprefix("Basic ")
        if basic:
            name, _, secret = base64.b64decode(basic).decode().partition(":")
            given = name, secret
        if form.get("grant_type") != "client_credentials" or given != (CLIENT_ID, CLIENT_SECRET):
            return Answer(401, {"error": "invalid_client"})
        self.access_tokens.append(f"access-{len(self.access_tokens) + 1}")
        # UPS writes the seconds as text.
        return Answer(200, {"access_token": self.access_tokens[-1], "expires_in": "14399"})


def has_header(name: str, value: str) -> Callable[[VendorRequest], bool]:
    """Whether a request has this header, such as an API key."""
    return lambda request: request.headers.get(name) == value


def as_json(request: VendorRequest) -> object:
    """The body of a request."""
    return json.loads(request.body)
