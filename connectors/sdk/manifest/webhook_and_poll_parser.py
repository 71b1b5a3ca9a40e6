"""Parse the doors of a manifest: webhook verification and handshakes, and polls."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from connectors.sdk.manifest.definition import HandshakeRule, PollRule, VerifyRule, WebhookRule
from connectors.sdk.manifest.operator_parser import OperatorParser
from connectors.sdk.manifest.problems import Position
from connectors.sdk.parse_setting_values import parse_duration

WEBHOOK: Position = ("receive", "webhook")
POLL: Position = ("receive", "poll")
VERIFY_METHODS = ("hmac", "token_header", "query_token", "basic", "bearer", "standard_webhooks")
AUTH_METHODS = ("basic", "bearer", "header", "oauth2_client_credentials")
NEXT_METHODS = (
    "link_header",
    "url_field",
    "page_query",
    "offset_query",
    "cursor_field",
    "from_newest",
)


def parse_webhook(parser: OperatorParser, data: Mapping[str, Any]) -> WebhookRule:
    """Parse `receive.webhook`."""
    delivery = data.get("delivery_id", {})
    answer = data.get("answer")
    return WebhookRule(
        verify=_parse_verify(parser, data["verify"]),
        handshakes=tuple(
            _parse_handshake(parser, item, (*WEBHOOK, "handshakes", i))
            for i, item in enumerate(data.get("handshakes", []))
        ),
        delivery_id_header=delivery.get("header", "").lower(),
        delivery_id_field=parser.optional_value(
            {"field": delivery["field"]} if "field" in delivery else {},
            "field",
            (*WEBHOOK, "delivery_id"),
        ),
        delivery_id_condition=parser.condition(
            delivery.get("if", {}), (*WEBHOOK, "delivery_id", "if")
        ),
        stored_headers=frozenset(name.lower() for name in data.get("store_headers", ())),
        answer=(
            int(answer["status"]),
            answer.get("body", "").encode(),
            answer.get("content_type", "text/plain; charset=utf-8"),
        )
        if answer
        else None,
    )


def _parse_verify(parser: OperatorParser, data: Mapping[str, Any]) -> VerifyRule:
    at: Position = (*WEBHOOK, "verify")
    methods = [name for name in VERIFY_METHODS if data.get(name, "no") != "no"]
    if len(methods) != 1:
        parser.report(at, f"give exactly one of {', '.join(VERIFY_METHODS)}")
        return VerifyRule("bearer")
    (method,) = methods
    fields = data.get("fields", {})
    if method == "hmac":
        signed = data.get("signed", "body")
        if "header" not in data:
            parser.report(at, "hmac needs the header of the signature")
        if "timestamp" in signed and not (data.get("timestamp_header") or fields.get("timestamp")):
            parser.report(at, "the signed timestamp needs timestamp_header or fields.timestamp")
        if signed.startswith("id.") and "id_header" not in data:
            parser.report(at, "the signed id needs id_header")
    elif set(data) - {method}:
        parser.report(at, f"{', '.join(sorted(set(data) - {method}))} belongs to hmac")
    header = data.get("header", data.get("token_header", data.get("query_token", "")))
    return VerifyRule(
        method=method,
        header=header if method == "query_token" else header.lower(),
        algorithm=data.get("hmac", "sha256"),
        encoding=data.get("encoding", "hex"),
        prefix=data.get("prefix", ""),
        signature_field=fields.get("signature", ""),
        timestamp_field=fields.get("timestamp", ""),
        signed=data.get("signed", "body"),
        timestamp_header=data.get("timestamp_header", "").lower(),
        id_header=data.get("id_header", "").lower(),
        tolerance=parser.parse_or_report_and_return_default(
            parse_duration, data.get("tolerance", "5 min"), (*at, "tolerance"), timedelta()
        ),
        key_form=data.get("secret", "text"),
    )


def _parse_handshake(
    parser: OperatorParser, data: Mapping[str, Any], at: Position
) -> HandshakeRule:
    if not {"query", "header", "body_begins"} & data.keys():
        parser.report(at, "a handshake needs query, header or body_begins to be recognized")
    if data.get("echo") == "header" and "header" not in data:
        parser.report(at, "echo: header needs the header")
    if data.get("echo") == "body" and "query" not in data:
        parser.report(at, "echo: body needs the query")
    return HandshakeRule(
        status=int(data["status"]),
        method=data.get("method", ""),
        query=data.get("query", ""),
        header=data.get("header", "").lower(),
        body_begins=data.get("body_begins", "").encode(),
        echo=data.get("echo", ""),
        body=data.get("body", ""),
        content_type=data.get("content_type", "text/plain; charset=utf-8"),
    )


def parse_poll(parser: OperatorParser, data: Mapping[str, Any]) -> PollRule:
    """Parse `receive.poll`."""
    parser.built_in_names |= {"secret"} | ({"number"} if "about" in data else set())
    if ("get" in data) is ("post" in data):
        parser.report(POLL, "give either get or post with the URL")
    if "body" in data and "post" not in data:
        parser.report((*POLL, "body"), "a body needs post")
    auth_method, auth = _parse_auth(parser, data.get("auth", {}))
    next_page = dict(data.get("next", {}))
    size = int(next_page.pop("size", 100))
    if len([name for name in NEXT_METHODS if name in next_page]) > 1:
        parser.report((*POLL, "next"), f"give one of {', '.join(NEXT_METHODS)}")
    if ("cursor_field" in next_page) is not ("cursor_query" in next_page):
        parser.report((*POLL, "next"), "cursor_field and cursor_query belong together")
    cursor, limit = data.get("cursor", {}), data.get("limit", {})
    if "from_newest" in next_page and not cursor:
        parser.report((*POLL, "next"), "from_newest needs a cursor")
    return PollRule(
        every=_duration(parser, data, "every", POLL),
        url=parser.template(data.get("get", data.get("post", "")), POLL),
        is_post="post" in data,
        body=_body_templates(parser, data.get("body"), (*POLL, "body")),
        query={
            k: parser.template(v, (*POLL, "query", k)) for k, v in data.get("query", {}).items()
        },
        headers={
            name.lower(): parser.template(text, (*POLL, "headers", name))
            for name, text in data.get("headers", {}).items()
        },
        auth_method=auth_method,
        auth=auth,
        records=parser.list_operator(data["records"], (*POLL, "records"))
        if "records" in data
        else None,
        record_key=parser.template(data["record_key"], (*POLL, "record_key"))
        if "record_key" in data
        else None,
        cursor_field=parser.optional_value(cursor, "field", (*POLL, "cursor")),
        cursor_query=cursor.get("query", ""),
        cursor_start=cursor.get("start", ""),
        overlap=_duration(parser, cursor, "overlap", (*POLL, "cursor")),
        next_page=next_page,
        page_size=size,
        about_open_packages="about" in data,
        carriers=tuple(name.casefold() for name in data.get("carriers", ())),
        numbers_per_call=max(int(data.get("numbers_per_call", 30)), 1),
        limit_calls=int(limit.get("calls", 0)),
        limit_period=_duration(parser, limit, "per", (*POLL, "limit")),
    )


def _parse_auth(parser: OperatorParser, data: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    at: Position = (*POLL, "auth")
    methods = [name for name in AUTH_METHODS if name in data]
    if len(methods) > 1:
        parser.report(at, f"give one of {', '.join(AUTH_METHODS)}")
    if not methods:
        return "", {}
    method = methods[0]
    given = data[method] if isinstance(data[method], dict) else {"value": data[method]}
    return method, {
        name: parser.template(text, (*at, method, name)) for name, text in given.items()
    }


def _duration(
    parser: OperatorParser, data: Mapping[str, Any], name: str, at: Position
) -> timedelta:
    if name not in data:
        return timedelta()
    return parser.parse_or_report_and_return_default(
        parse_duration, data[name], (*at, name), timedelta()
    )


def _body_templates(parser: OperatorParser, data: Any, at: Position) -> Any:
    """The JSON body of a request; its texts are templates."""
    if isinstance(data, dict):
        return {k: _body_templates(parser, v, (*at, k)) for k, v in data.items()}
    if isinstance(data, list):
        return [_body_templates(parser, v, (*at, i)) for i, v in enumerate(data)]
    return None if data is None else parser.template(data, at)
