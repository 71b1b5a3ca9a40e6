"""Parse the doors of a manifest: webhook verification and handshakes, and polls."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from connectors.sdk.manifest.definition import (
    PollRule,
    RequestKind,
)
from connectors.sdk.manifest.operator_parser import OperatorParser
from connectors.sdk.manifest.paths import Template
from connectors.sdk.manifest.poll_request_parser import (
    POLL,
    parse_auth,
    parse_listed_file_download_rule,
    parse_request,
)
from connectors.sdk.manifest.problems import Position
from connectors.sdk.manifest.webhook_rule import (
    HandshakeRule,
    NoticeRule,
    VerifyRule,
    WebhookRule,
)
from connectors.sdk.parse_setting_values import parse_duration

WEBHOOK: Position = ("receive", "webhook")
VERIFY_METHODS = (
    *("hmac", "rsa", "token_header", "query_token", "basic", "bearer", "standard_webhooks"),
)
NEXT_METHODS = (
    "link_header",
    "url_field",
    "page_query",
    "offset_query",
    "page_in_body",
    "offset_in_body",
    "cursor_field",
    "page_info",
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
        notice=NoticeRule(
            parser.condition(data["notice"]["if"], (*WEBHOOK, "notice", "if")),
            data["notice"]["reason"],
        )
        if "notice" in data
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
    if method == "rsa":
        if "public_keys" not in data:
            parser.report(at, "rsa needs public_keys, the setting with the public keys")
        else:
            parser.note_used_setting_or_report(data["public_keys"], (*at, "public_keys"))
    if method in {"hmac", "rsa"}:
        signed = data.get("signed", "body")
        if "header" not in data:
            parser.report(at, f"{method} needs the header of the signature")
        if "timestamp" in signed and not (data.get("timestamp_header") or fields.get("timestamp")):
            parser.report(at, "the signed timestamp needs timestamp_header or fields.timestamp")
        if signed.startswith("id.") and "id_header" not in data:
            parser.report(at, "the signed id needs id_header")
    elif set(data) - {method}:
        parser.report(at, f"{', '.join(sorted(set(data) - {method}))} belongs to hmac or rsa")
    return VerifyRule(
        method=method,
        header=data.get("header", data.get("token_header", "")).lower(),
        public_keys_setting=data.get("public_keys", ""),
        key_id_header=data.get("key_id_header", "").lower(),
        query_token=data.get("query_token", data.get("or_query_token", "")),
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
    parser.built_in_names |= {"secret", "since", "page_cursor", "page", "offset"}
    parser.built_in_names |= {"number"} if "about" in data else set()
    parser.built_in_names |= {"carrier"} if "carrier_codes" in data else set()
    next_page, cursor, limit = (
        dict(data.get("next", {})),
        data.get("cursor", {}),
        data.get("limit", {}),
    )
    size = int(next_page.pop("size", 100))
    request = parse_request(parser, data)
    _report_unused_next_page_or_cursor(parser, next_page, cursor)
    for name in ("carriers", "carrier_codes", "unnamed_carrier", "unknown_number"):
        if name in data and "about" not in data:
            parser.report((*POLL, name), f"{name} needs about: open_packages")
    if "carrier_codes" in data and "carrier" in parser.setting_names:
        parser.report(
            (*POLL, "carrier_codes"), "{$carrier} is the code, so no setting has its name"
        )
    if "carrier_codes" in data and data.get("numbers_per_call") != "1":
        parser.report((*POLL, "carrier_codes"), 'carrier_codes needs numbers_per_call: "1"')
    if "files" in data and ("about" in data or request.kind is not RequestKind.GET):
        parser.report((*POLL, "files"), "files need a listing that is read with get")
    if data.get("conditional") == "yes" and request.kind is not RequestKind.GET:
        parser.report((*POLL, "conditional"), "only requests with get can be conditional")
    return PollRule(
        every=_parse_duration_zero_if_absent(parser, data, "every", POLL),
        request=request,
        auth=parse_auth(parser, data.get("auth", {})),
        records=parser.parse_list_path(data["records"], (*POLL, "records"))
        if "records" in data
        else None,
        records_optional=data.get("records_optional") == "yes",
        files=parse_listed_file_download_rule(parser, data["files"]) if "files" in data else None,
        record_key=parser.template(data["record_key"], (*POLL, "record_key"))
        if "record_key" in data
        else None,
        cursor_field=parser.optional_value(cursor, "field", (*POLL, "cursor")),
        cursor_query=cursor.get("query", ""),
        cursor_header=cursor.get("header", "").lower(),
        cursor_format=cursor.get("format", "http_date" if "header" in cursor else ""),
        cursor_start=cursor.get("start", ""),
        overlap=_parse_duration_zero_if_absent(parser, cursor, "overlap", (*POLL, "cursor")),
        next_page=next_page,
        page_size=size,
        about_open_packages="about" in data,
        carriers=tuple(
            name.casefold() for name in data.get("carriers", data.get("carrier_codes", ()))
        ),
        carrier_codes={
            name.casefold(): code for name, code in data.get("carrier_codes", {}).items()
        },
        unnamed_carrier=tuple(pattern.upper() for pattern in data.get("unnamed_carrier", ())),
        unknown_number=frozenset(map(int, data.get("unknown_number", ()))),
        numbers_per_call=max(int(data.get("numbers_per_call", 30)), 1),
        limit_calls=_parse_limit_of_calls(parser, limit["calls"]) if limit else None,
        limit_period=_parse_duration_zero_if_absent(parser, limit, "per", (*POLL, "limit")),
        is_conditional=data.get("conditional") == "yes",
    )


def _report_unused_next_page_or_cursor(
    parser: OperatorParser, next_page: Mapping[str, str], cursor: Mapping[str, str]
) -> None:
    """Report pages and cursors that no request asks for."""
    at: Position = (*POLL, "next")
    if len([name for name in NEXT_METHODS if name in next_page]) > 1:
        parser.report(at, f"give one of {', '.join(NEXT_METHODS)}")
    if "cursor_query" in next_page and "cursor_field" not in next_page:
        parser.report(at, "cursor_query needs cursor_field")
    in_requests = parser.used_settings
    if "cursor_field" in next_page and not (
        "cursor_query" in next_page or "page_cursor" in in_requests
    ):
        parser.report(at, "cursor_field needs cursor_query, or {$page_cursor} in the request")
    for method, name in (
        ("page_info", "page_cursor"),
        ("page_in_body", "page"),
        ("offset_in_body", "offset"),
    ):
        if method in next_page and name not in in_requests:
            parser.report(at, f"{method} needs {{${name}}} in the request")
    if cursor and not ({"query", "header"} & cursor.keys() or "since" in in_requests):
        parser.report(
            (*POLL, "cursor"), "the cursor needs query or header, or {$since} in the request"
        )
    if "from_newest" in next_page and not cursor:
        parser.report(at, "from_newest needs a cursor")


def _parse_limit_of_calls(parser: OperatorParser, text: str) -> Template:
    """Parse a whole number, or the setting that has it."""
    at: Position = (*POLL, "limit", "calls")
    template = parser.template(text, at)
    if not template.placeholders and not (text.isascii() and text.isdecimal()):
        parser.report(at, "give a whole number, or a setting of type integer")
    return template


def _parse_duration_zero_if_absent(
    parser: OperatorParser, data: Mapping[str, Any], name: str, at: Position
) -> timedelta:
    if name not in data:
        return timedelta()
    return parser.parse_or_report_and_return_default(
        parse_duration, data[name], (*at, name), timedelta()
    )
