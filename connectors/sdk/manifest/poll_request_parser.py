"""Parse what a poll of a manifest requests: the request, its authorization, and listed files."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from connectors.sdk.manifest.definition import (
    ListedFileDownloadRule,
    PollAuthorizationRule,
    RequestKind,
    RequestRule,
)
from connectors.sdk.manifest.operator_parser import OperatorParser
from connectors.sdk.manifest.problems import Position
from connectors.sdk.parse_setting_values import parse_duration
from connectors.sdk.request_authorization import SIGNED_NAMES, SIGNED_PLACEHOLDER

POLL: Position = ("receive", "poll")
AUTH_METHODS = (
    "basic",
    "bearer",
    "header",
    "query_token",
    "hmac",
    "oauth2_client_credentials",
    "oauth2_refresh_token",
    "oauth1",
)
# Members that are fixed texts and not templates.
AUTH_OPTIONS = frozenset(
    {
        "algorithm",
        "encoding",
        "signed",
        "prefix",
        "timestamp",
        "timestamp_header",
        "header",
        "client_auth",
    }
)
BODY_KINDS = {
    "body": RequestKind.JSON,
    "form": RequestKind.FORM,
    "multipart": RequestKind.MULTIPART,
    "graphql": RequestKind.GRAPHQL,
    "json_rpc": RequestKind.JSON_RPC,
}


def parse_request(parser: OperatorParser, data: Mapping[str, Any]) -> RequestRule:
    """Parse the URL, the query, the headers and the body."""
    if ("get" in data) is ("post" in data):
        parser.report(POLL, "give either get or post with the URL")
    bodies = [name for name in BODY_KINDS if name in data]
    if len(bodies) > 1:
        parser.report(POLL, f"give one of {', '.join(BODY_KINDS)}")
    if bodies and "post" not in data:
        parser.report((*POLL, bodies[0]), f"{bodies[0]} needs post")
    kind = RequestKind.JSON if "post" in data else RequestKind.GET
    operation = ""
    body: Any = None
    if bodies:
        kind, body = BODY_KINDS[bodies[0]], data[bodies[0]]
    at: Position = (*POLL, *bodies[:1])
    if kind is RequestKind.GRAPHQL:
        operation, body, at = body["query"], body.get("variables", {}), (*at, "variables")
    elif kind is RequestKind.JSON_RPC:
        operation, body, at = body["method"], body.get("params"), (*at, "params")
    return RequestRule(
        url=parser.template(data.get("get", data.get("post", "")), POLL),
        kind=kind,
        query={
            k: parser.template(v, (*POLL, "query", k)) for k, v in data.get("query", {}).items()
        },
        headers={
            name.lower(): parser.template(text, (*POLL, "headers", name))
            for name, text in data.get("headers", {}).items()
        },
        body=_parse_body_texts_as_templates(parser, body, at),
        operation=operation,
    )


def parse_auth(parser: OperatorParser, data: Mapping[str, Any]) -> PollAuthorizationRule:
    """Parse the authorization of the requests."""
    at: Position = (*POLL, "auth")
    methods = [name for name in AUTH_METHODS if name in data]
    if len(methods) > 1:
        parser.report(at, f"give one of {', '.join(AUTH_METHODS)}")
    if not methods:
        return PollAuthorizationRule()
    (method, *_) = methods
    given = data[method] if isinstance(data[method], dict) else {"value": data[method]}
    rule = PollAuthorizationRule(
        method,
        {
            name: parser.template(text, (*at, method, name))
            for name, text in given.items()
            if name not in AUTH_OPTIONS and name != "refresh_token_lasts"
        },
        {name: text for name, text in given.items() if name in AUTH_OPTIONS},
        parser.parse_or_report_and_return_default(
            parse_duration,
            given.get("refresh_token_lasts", "0 s"),
            (*at, method, "refresh_token_lasts"),
            timedelta(),
        ),
    )
    if method == "hmac":
        _report_invalid_hmac_signed_text(parser, rule.options, (*at, method, "signed"))
    if method == "oauth2_refresh_token" and not name_of_refresh_token_setting(rule):
        sentence = "the refresh token must be a setting of type secret, such as {$refresh_token}"
        parser.report((*at, method, "refresh_token"), sentence)
    return rule


def _report_invalid_hmac_signed_text(
    parser: OperatorParser, options: Mapping[str, str], position: Position
) -> None:
    unknown = set(SIGNED_PLACEHOLDER.findall(options["signed"])) - SIGNED_NAMES
    if unknown:
        names = ", ".join(sorted(SIGNED_NAMES))
        parser.report(position, f"unknown placeholder {min(unknown)!r}; the names are {names}")
    if "{timestamp}" in options["signed"] and "timestamp_header" not in options:
        parser.report(position, "the signed timestamp needs timestamp_header")


def name_of_refresh_token_setting(rule: PollAuthorizationRule) -> str:
    """Return the name of the setting that holds the refresh token; "" if it is none."""
    template = rule.texts["refresh_token"]
    names = [p.setting for p in template.placeholders]
    is_alone = len(template.pieces) == 1 and len(names) == 1 and names[0] != "secret"
    return names[0] if is_alone else ""


def parse_listed_file_download_rule(
    parser: OperatorParser, data: Mapping[str, str]
) -> ListedFileDownloadRule:
    """Parse which file each record of the listing names."""
    at: Position = (*POLL, "files")
    return ListedFileDownloadRule(
        url=parser.template(data["url"], (*at, "url")),
        name=parser.template(data["name"], (*at, "name")),
        pattern=data.get("pattern", ""),
        is_authorized=data.get("authorized", "yes") == "yes",
    )


def _parse_body_texts_as_templates(parser: OperatorParser, data: Any, at: Position) -> Any:
    """The body of a request; its texts are templates."""
    if isinstance(data, dict):
        return {k: _parse_body_texts_as_templates(parser, v, (*at, k)) for k, v in data.items()}
    if isinstance(data, list):
        return [_parse_body_texts_as_templates(parser, v, (*at, i)) for i, v in enumerate(data)]
    return None if data is None else parser.template(data, at)
