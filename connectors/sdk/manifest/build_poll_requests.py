"""Build the requests of a declared poll: the URL, the query, the body and the authorization."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.sdk.http_requests import (
    build_form_request,
    build_graphql_request,
    build_json_request,
    build_json_rpc_request,
    build_multipart_request,
)
from connectors.sdk.http_responses import (
    read_graphql_body_or_raise_errors,
    read_json_body_empty_list_if_204,
    read_json_rpc_body_or_raise_errors,
)
from connectors.sdk.manifest.definition import (
    PollAuthorizationRule,
    PollRule,
    RequestKind,
    RequestRule,
)
from connectors.sdk.manifest.paths import ScalarReadingRules, Scope, Template
from connectors.sdk.manifest.poll_request_parser import name_of_refresh_token_setting
from connectors.sdk.oauth_authorization import (
    OAuth1Authorization,
    OAuth2Authorization,
    RefreshToken,
)
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.request_authorization import (
    BaseAuthorization,
    HeaderAuthorization,
    HmacAuthorization,
    QueryTokenAuthorization,
    basic_authorization,
    bearer_authorization,
)
from connectors.sdk.webhook_and_poll_types import (
    NO_TOKENS,
    HttpRequest,
    HttpResponse,
    PollError,
    TokenStore,
)

EMPTY = Node(None, "", [False])
OMITTED = object()


@dataclass(frozen=True, slots=True)
class RequestTemplateTexts:
    """The settings and the built-in texts that templates of requests name."""

    texts: Mapping[str, str]
    reading: ScalarReadingRules

    def render(self, template: Template, record: Scope | None = None) -> str:
        """Fill in the template; paths start at the record. Raises PollError."""
        scope = Scope(record.node if record else EMPTY, self.texts, self.reading)
        try:
            return template.render(scope)
        except PayloadError as error:
            raise PollError(str(error)) from None


def build_request(
    rule: RequestRule,
    texts: RequestTemplateTexts,
    extra_query: Mapping[str, str],
    numbers: Sequence[str],
) -> HttpRequest:
    """Return the request without authorization. Raises PollError."""
    url = texts.render(rule.url)
    query = {name: texts.render(text) for name, text in rule.query.items()} | dict(extra_query)
    headers = {name: texts.render(text) for name, text in rule.headers.items()}
    if rule.kind is RequestKind.GET:
        return HttpRequest("GET", url, query, {"accept": "application/json", **headers})
    body = _fill_in_body_and_apply_operators(rule.body, texts, numbers)
    if rule.kind is RequestKind.FORM:
        return build_form_request(url, body, query=query, headers=headers)
    if rule.kind is RequestKind.MULTIPART:
        return build_multipart_request(url, body, query=query, headers=headers)
    if rule.kind is RequestKind.GRAPHQL:
        return build_graphql_request(url, rule.operation, body, query=query, headers=headers)
    if rule.kind is RequestKind.JSON_RPC:
        return build_json_rpc_request(url, rule.operation, body, query=query, headers=headers)
    return build_json_request(url, {} if body is None else body, query=query, headers=headers)


def read_response_document(kind: RequestKind, response: HttpResponse) -> Node:
    """Return the document of a response. Raises PollError, also for errors inside it."""
    if kind is RequestKind.GRAPHQL:
        return read_graphql_body_or_raise_errors(response)
    if kind is RequestKind.JSON_RPC:
        return read_json_rpc_body_or_raise_errors(response)
    return read_json_body_empty_list_if_204(response)


def _fill_in_body_and_apply_operators(
    data: Any, texts: RequestTemplateTexts, numbers: Sequence[str]
) -> Any:
    """Fill in the templates and the operators of a body.

    `$each_number` is a list with one element per tracking number, `$optional` is left out if it is
    blank, `$boolean` and `$integer` are JSON values.
    """
    if isinstance(data, Template):
        return texts.render(data)
    if isinstance(data, list):
        items = (_fill_in_body_and_apply_operators(item, texts, numbers) for item in data)
        return [item for item in items if item is not OMITTED]
    if not isinstance(data, dict):
        return data
    if "$each_number" in data:
        return [
            _fill_in_body_and_apply_operators(
                data["$each_number"], _texts_with_tracking_number(texts, number), (number,)
            )
            for number in numbers
        ]
    if "$boolean" in data:
        return texts.render(data["$boolean"]) in {"yes", "true"}
    if "$integer" in data:
        return _parse_integer(texts.render(data["$integer"]))
    if "$optional" in data:
        value = _fill_in_body_and_apply_operators(data["$optional"], texts, numbers)
        return OMITTED if value == "" else value
    filled = {
        name: _fill_in_body_and_apply_operators(item, texts, numbers) for name, item in data.items()
    }
    return {name: item for name, item in filled.items() if item is not OMITTED}


def _texts_with_tracking_number(texts: RequestTemplateTexts, number: str) -> RequestTemplateTexts:
    return RequestTemplateTexts({**texts.texts, "number": number}, texts.reading)


def _parse_integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise PollError(f"{text[:40]!r} in the body of the request is not a whole number") from None


def build_authorization_per_secret(
    rule: PollAuthorizationRule,
    texts: RequestTemplateTexts,
    secrets: Sequence[bytes],
    now: datetime,
    tokens: TokenStore = NO_TOKENS,
) -> list[BaseAuthorization]:
    """Return an authorization for each secret of the source; one if it needs none of them."""
    refresh_token = None
    if rule.method == "oauth2_refresh_token":
        refresh_token = RefreshToken(
            name_of_refresh_token_setting(rule),
            texts.render(rule.texts["refresh_token"]),
            lasts_seconds=rule.refresh_token_lasts.total_seconds() or None,
        )
    names = {p.setting for template in rule.texts.values() for p in template.placeholders}
    used = [secret.decode("utf-8", "replace") for secret in secrets] if "secret" in names else []
    return [
        _build_authorization(
            rule,
            {
                name: RequestTemplateTexts({**texts.texts, "secret": secret}, texts.reading).render(
                    text
                )
                for name, text in rule.texts.items()
            },
            refresh_token,
            now,
            tokens,
        )
        for secret in used or [""]
    ]


def _build_authorization(
    rule: PollAuthorizationRule,
    given: Mapping[str, str],
    refresh_token: RefreshToken | None,
    now: datetime,
    tokens: TokenStore,
) -> BaseAuthorization:
    method, options = rule.method, rule.options
    if method == "basic":
        return basic_authorization(given["value"])
    if method == "bearer":
        return bearer_authorization(given["value"])
    if method == "header":
        return HeaderAuthorization(given["name"].lower(), given["value"])
    if method == "query_token":
        return QueryTokenAuthorization(given["name"], given["value"])
    if method == "hmac":
        return HmacAuthorization(
            given["secret"].encode(),
            options["header"].lower(),
            options["signed"],
            now,
            algorithm=options.get("algorithm", "sha256"),
            encoding=options.get("encoding", "hex"),
            prefix=options.get("prefix", ""),
            timestamp_header=options.get("timestamp_header", "").lower(),
            timestamp_form=options.get("timestamp", "unix"),
        )
    if method.startswith("oauth2_"):
        form = {n: t for n, t in given.items() if n not in {"token_url", "refresh_token"}}
        return OAuth2Authorization(
            given["token_url"],
            form,
            refresh_token,
            client_in_header=options.get("client_auth") == "basic",
            tokens=tokens,
        )
    if method == "oauth1":
        return OAuth1Authorization(
            given["consumer_key"],
            given["consumer_secret"],
            given["token"],
            given["token_secret"],
            now,
            given.get("realm", ""),
        )
    return BaseAuthorization()


def settings_in_url_and_authorization(rule: PollRule) -> set[str]:
    """Return the names of the settings in the URL and the authorization of a poll."""
    return settings_in_templates([rule.request.url, rule.auth.texts])


def settings_in_templates(data: Any) -> set[str]:
    """Return the names of the settings in all templates inside lists and mappings."""
    if isinstance(data, Template):
        return {p.setting for p in data.placeholders if p.setting}
    if isinstance(data, Mapping):
        return settings_in_templates(list(data.values()))
    if isinstance(data, list | tuple):
        return set().union(*map(settings_in_templates, data))
    return set()
