"""Calls to Odoo's external API: JSON-RPC (Odoo 13 to 19) and JSON-2 (Odoo 19 and newer).

https://www.odoo.com/documentation/18.0/developer/reference/external_api.html
https://www.odoo.com/documentation/19.0/developer/reference/external_api.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.sdk.http_requests import build_json_request, build_json_rpc_request
from connectors.sdk.http_responses import (
    MAX_ERROR_TEXT,
    read_json_body_empty_list_if_204,
    read_json_rpc_body_or_raise_errors,
)
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    HttpRequest,
    HttpResponse,
    PollError,
    poll_error_of_response,
)

Fields = Mapping[str, Any]


@dataclass(slots=True)
class OdooClient:
    """One user of one database. `json_2`: use the API that Odoo 19 introduced."""

    http: HttpClient
    base_url: str
    database: str
    user: str
    api_key: str = field(repr=False)
    json_2: bool = False
    _user_id: int = 0

    def known_fields(self, model: str, wanted: Sequence[str]) -> list[str]:
        """Return those of the wanted fields that this version and its modules have."""
        document = self._call(model, "fields_get", {"attributes": ["type"]})
        try:
            known = set(document.keys())
        except PayloadError as error:
            raise PollError(f"the fields of {model} are invalid ({error})") from None
        return [name for name in wanted if name in known]

    def search_read(
        self,
        model: str,
        domain: Sequence[Any],
        fields: Sequence[str],
        *,
        order: str = "id",
        limit: int | None = None,
    ) -> list[Node]:
        """Return the records of a domain. Raises PollError."""
        arguments: dict[str, Any] = {"domain": list(domain), "fields": list(fields), "order": order}
        if limit:
            arguments["limit"] = limit
        try:
            return self._call(model, "search_read", arguments).as_list()
        except PayloadError as error:
            raise PollError(f"the records of {model} are invalid ({error})") from None

    def _call(self, model: str, method: str, arguments: Fields) -> Node:
        if self.json_2:
            return self._call_json_2(model, method, arguments)
        if not self._user_id:
            self._user_id = self._log_in()
        call = [self.database, self._user_id, self.api_key, model, method, [], dict(arguments)]
        return self._call_service("object", "execute_kw", call)

    def _log_in(self) -> int:
        login = [self.database, self.user, self.api_key, {}]
        answer = self._call_service("common", "authenticate", login)
        value = answer.value
        # Odoo answers false to a wrong password.
        if isinstance(value, bool) or not value:
            raise PollError("Odoo does not accept the user or the API key", status=401)
        return int(value)

    def _call_service(self, service: str, method: str, arguments: Sequence[Any]) -> Node:
        params = {"service": service, "method": method, "args": list(arguments)}
        url = f"{self.base_url.rstrip('/')}/jsonrpc"
        response = self._send(build_json_rpc_request(url, "call", params))
        document = read_json_body_empty_list_if_204(response)
        if message := _message_of_odoo_error(document):
            raise PollError(f"Odoo returned an error: {message}")
        return read_json_rpc_body_or_raise_errors(response).get("result")

    def _call_json_2(self, model: str, method: str, arguments: Fields) -> Node:
        headers = {"authorization": f"Bearer {self.api_key}"}
        if self.database:
            headers["x-odoo-database"] = self.database
        url = f"{self.base_url.rstrip('/')}/json/2/{model}/{method}"
        return read_json_body_empty_list_if_204(
            self._send(build_json_request(url, dict(arguments), headers=headers))
        )

    def _send(self, request: HttpRequest) -> HttpResponse:
        try:
            response = self.http.send(request)
        except ConnectionError as error:
            raise PollError(f"no response: {error}") from error
        if response.status != 200:
            raise poll_error_of_response("the request to Odoo", response)
        return response


def _message_of_odoo_error(document: Node) -> str:
    """Return the reason of an error. Its `message` is always "Odoo Server Error"."""
    try:
        error = document.get("error")
        if error.value is None:
            return ""
        data = error.get("data")
        text = data.text_at("message") if isinstance(data.value, dict) else ""
        return (text or error.text_at("message") or "without a message")[:MAX_ERROR_TEXT]
    except PayloadError:
        return "in an unknown form"
