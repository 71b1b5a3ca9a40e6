"""Calls to Tryton by JSON-RPC, within a session of one user.

Read in trytond 8.0: protocols/dispatcher.py, protocols/jsonrpc.py and protocols/wrappers.py.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.http_requests import build_json_request
from connectors.sdk.http_responses import MAX_ERROR_TEXT, read_json_body_empty_list_if_204
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.request_authorization import BaseAuthorization, with_header
from connectors.sdk.webhook_and_poll_types import (
    NO_TOKENS,
    HttpClient,
    HttpRequest,
    PollError,
    TokenStore,
    poll_error_of_response,
)

# A session without requests ends after five minutes, if the server has no other limit.
SESSION_SECONDS = 240.0


def rpc_url(base_url: str, database: str) -> str:
    """Return the URL of the calls of a database."""
    return f"{base_url.rstrip('/')}/{quote(database, safe='')}/rpc/"


def build_call(url: str, method: str, params: Sequence[Any]) -> HttpRequest:
    """Return a call. With exactly these members, the server reports its errors in the body."""
    return build_json_request(url, {"id": 1, "method": method, "params": list(params)})


def read_result(response_body: Node) -> Node:
    """Return the result of a call. Raises PollError if the body has an error."""
    try:
        if response_body.has_value("error"):
            raise PollError(f"Tryton returned an error: {_error_text(response_body)}")
        if "result" not in set(response_body.keys()):
            raise PollError("the response of Tryton has neither a result nor an error")
        return response_body.get("result")
    except PayloadError as error:
        raise PollError(f"the response of Tryton is invalid ({error})") from None


def _error_text(body: Node) -> str:
    """The error is a list: the name of the exception, or its text and a trace."""
    value = body.get("error").value
    first = value[0] if isinstance(value, list) and value else value
    return str(first)[:MAX_ERROR_TEXT]


@dataclass(slots=True)
class TrytonSession(BaseAuthorization):
    """A session, opened at the first call and after a refusal. `tokens` holds it between polls."""

    url: str
    user: str
    password: str = field(repr=False)
    tokens: TokenStore = NO_TOKENS
    _token: str = field(default="", repr=False)

    def fetch_token_if_missing(self, http: HttpClient) -> None:
        """Log in unless there is a session. Raises PollError with the status of the response."""
        self._token = self._token or self.tokens.token(self._token_key())
        if self._token:
            return
        call = build_call(self.url, "common.db.login", [self.user, {"password": self.password}])
        try:
            response = http.send(call)
        except ConnectionError as error:
            raise PollError(f"no response to the login: {error}") from error
        if response.status != 200:
            raise poll_error_of_response("the login", response)
        result = read_result(read_json_body_empty_list_if_204(response))
        try:
            user_id, token = (node.as_text() for node in result.as_list()[:2])
        except (PayloadError, ValueError):
            raise PollError("the response to the login has no session") from None
        session = f"{self.user}:{user_id}:{token}"
        self._token = base64.b64encode(session.encode()).decode()
        self.tokens.store(self._token_key(), self._token, SESSION_SECONDS)

    def authorize(self, request: HttpRequest) -> HttpRequest:
        """Add the session."""
        return with_header(request, "authorization", f"Session {self._token}")

    def discard_refused_token(self) -> None:
        """Forget the session, here and in the store."""
        self.tokens.discard(self._token_key())
        self._token = ""

    def _token_key(self) -> str:
        content = ["tryton", self.url, self.user, self.password]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(slots=True)
class TrytonClient:
    """One user of one database. Its company and language come from its preferences."""

    requests: AuthorizedRequests
    url: str
    _context: dict[str, Any] | None = None
    _fields: dict[str, set[str]] = field(default_factory=dict)

    def search_read(
        self,
        model: str,
        domain: Sequence[Any],
        fields: Sequence[str],
        *,
        order: Sequence[Sequence[str]] = (("id", "ASC"),),
        limit: int | None = None,
    ) -> list[Any]:
        """Return the records of a domain as plain JSON values. Raises PollError."""
        params = [list(domain), 0, limit, [list(pair) for pair in order], list(fields)]
        rows = plain_value(self.call(f"model.{model}.search_read", params).value)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise PollError(f"the records of {model} are not a list")
        return rows

    def known_fields(self, model: str, wanted: Sequence[str]) -> list[str]:
        """Return those of the wanted fields whose first name the activated modules define."""
        if model not in self._fields:
            document = self.call(f"model.{model}.fields_get", [[], 0])
            try:
                self._fields[model] = set(document.keys())
            except PayloadError as error:
                raise PollError(f"the fields of {model} are invalid ({error})") from None
        known = self._fields[model]
        return [name for name in wanted if name.partition(".")[0] in known]

    def call(self, method: str, params: Sequence[Any]) -> Node:
        """Return the result of a call in the context of the user. Raises PollError."""
        if self._context is None:
            preferences = self._call("model.res.user.get_preferences", [True, {}])
            value = plain_value(preferences.value)
            self._context = value if isinstance(value, dict) else {}
        return self._call(method, [*params, self._context])

    def _call(self, method: str, params: Sequence[Any]) -> Node:
        request = build_call(self.url, method, params)
        response = self.requests.send_without_secret_renewal(request)
        return read_result(read_json_body_empty_list_if_204(response))


def json_time(time: datetime) -> dict[str, Any]:
    """Return a time as Tryton writes it in JSON."""
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{name: getattr(time, name) for name in names}}


def plain_value(value: Any) -> Any:
    """Replace the typed values of Tryton by texts: dates and times ISO 8601, decimals by digits."""
    if isinstance(value, list):
        return [plain_value(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    kind = value.get("__class__")
    if kind == "Decimal":
        return str(value.get("decimal", ""))
    if kind in {"date", "datetime"}:
        return _iso_text(value, has_time=kind == "datetime")
    return {name: plain_value(item) for name, item in value.items()}


def _iso_text(value: Mapping[str, Any], *, has_time: bool) -> str:
    try:
        numbers = {name: int(number) for name, number in value.items() if name != "__class__"}
        if has_time:
            time = datetime(**numbers, tzinfo=UTC)
            return time.isoformat()
        return "{year:04}-{month:02}-{day:02}".format_map(numbers)
    except (TypeError, ValueError, KeyError):
        raise PollError("Tryton sent an invalid date or time") from None
