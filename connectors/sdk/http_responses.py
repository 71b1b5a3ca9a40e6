"""Read responses of polled systems: JSON, GraphQL and JSON-RPC, with their own kinds of errors."""

from http import HTTPStatus

from connectors.sdk.payload import Node, PayloadError, load_json
from connectors.sdk.webhook_and_poll_types import TOO_MANY_REQUESTS, HttpResponse, PollError

MAX_ERROR_TEXT = 200
# Shopify reports a used-up budget with HTTP 200 and this code:
# https://shopify.dev/docs/api/admin-graphql#rate-limits
THROTTLED_CODES = frozenset({"THROTTLED"})


def read_json_body_empty_list_if_204(response: HttpResponse) -> Node:
    """Return the JSON body; an empty list for 204. Raises PollError."""
    if not response.body.strip():
        if response.status != HTTPStatus.NO_CONTENT:
            raise PollError("the response is empty")
        return Node([], "", [False])
    try:
        return load_json(response.body, max_keys=1_000_000)
    except PayloadError as error:
        raise PollError(f"the response is not valid JSON ({error})") from None


def read_graphql_body_or_raise_errors(response: HttpResponse) -> Node:
    """Return the JSON body of a GraphQL response, in which the result is the member `data`.

    Raises PollError if it has errors, even with HTTP 200 and partial data:
    https://spec.graphql.org/October2021/#sec-Errors
    """
    document = read_json_body_empty_list_if_204(response)
    try:
        errors = document.list_at("errors")
        if not errors:
            return document
        message = errors[0].text_at("message") or "without a message"
        extensions = errors[0].get("extensions")
        code = extensions.text_at("code") if isinstance(extensions.value, dict) else ""
    except PayloadError:
        raise PollError("the response has invalid GraphQL errors") from None
    detail = f"the GraphQL response has errors: {message[:MAX_ERROR_TEXT]}"
    if code not in THROTTLED_CODES:
        raise PollError(detail)
    wait = _seconds_until_cost_is_affordable(document)
    raise PollError(detail, status=TOO_MANY_REQUESTS, retry_after=wait)


def _seconds_until_cost_is_affordable(document: Node) -> float | None:
    """Return how long the budget needs to hold the cost of the query; None if it is not sent."""
    try:
        cost = document.required_object("extensions").required_object("cost")
        budget = cost.required_object("throttleStatus")
        requested, available, rate = (
            cost.decimal_at("requestedQueryCost"),
            budget.decimal_at("currentlyAvailable"),
            budget.decimal_at("restoreRate"),
        )
    except PayloadError:
        return None
    if requested is None or available is None or not rate or rate < 0:
        return None
    return max(float((requested - available) / rate), 1.0)


def read_json_rpc_body_or_raise_errors(response: HttpResponse, call_id: int = 1) -> Node:
    """Return the JSON body of a JSON-RPC 2.0 response, in which the result is `result`.

    Raises PollError if it has an `error`, no `result`, or answers another call:
    https://www.jsonrpc.org/specification#response_object
    """
    document = read_json_body_empty_list_if_204(response)
    if not isinstance(document.value, dict):
        raise PollError("the response is not a JSON-RPC object")
    error = document.value.get("error")
    if error is not None:
        code, message = (
            (error.get("code", ""), error.get("message", ""))
            if isinstance(error, dict)
            else ("", "")
        )
        detail = f"the call returned the error {code}: {str(message)[:MAX_ERROR_TEXT]}"
        raise PollError(detail)
    if "result" not in document.value:
        raise PollError("the JSON-RPC response has neither a result nor an error")
    if str(document.value.get("id")) != str(call_id):
        raise PollError("the JSON-RPC response answers another call")
    return document
