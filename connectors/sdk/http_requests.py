"""Requests of the usual kinds: JSON, form, GraphQL, JSON-RPC and multipart."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from connectors.sdk.encode_json import encode_json
from connectors.sdk.webhook_and_poll_types import HttpRequest

FORM_TYPE = "application/x-www-form-urlencoded"
JSON_TYPE = "application/json"
# https://graphql.github.io/graphql-over-http/draft/#sec-Accept
GRAPHQL_ACCEPT = "application/graphql-response+json, application/json"


@dataclass(frozen=True, slots=True)
class MultipartFile:
    """A file of a multipart request."""

    name: str
    content: bytes
    content_type: str = "application/octet-stream"


def build_json_request(
    url: str,
    document: Any,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpRequest:
    """Return a POST of a JSON document. Decimals keep all their digits."""
    own = {"accept": JSON_TYPE, "content-type": JSON_TYPE}
    return HttpRequest("POST", url, query or {}, own | dict(headers or {}), encode_json(document))


def build_form_request(
    url: str,
    fields: Mapping[str, str],
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpRequest:
    """Return a POST of form fields (application/x-www-form-urlencoded, UTF-8)."""
    own = {"accept": JSON_TYPE, "content-type": FORM_TYPE}
    return HttpRequest(
        "POST", url, query or {}, own | dict(headers or {}), urlencode(dict(fields)).encode()
    )


def build_graphql_request(
    url: str,
    operation: str,
    variables: Mapping[str, Any],
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpRequest:
    """Return a GraphQL request: `operation` is the text of the query, `variables` JSON values.

    https://graphql.github.io/graphql-over-http/draft/#sec-POST
    """
    document = {"query": operation, "variables": dict(variables)}
    own = {"accept": GRAPHQL_ACCEPT} | dict(headers or {})
    return build_json_request(url, document, query=query, headers=own)


def build_json_rpc_request(
    url: str,
    method: str,
    params: Any,
    *,
    call_id: int = 1,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpRequest:
    """Return a JSON-RPC 2.0 call. `params` is an object or a list; None: the call has none.

    https://www.jsonrpc.org/specification#request_object
    """
    document = {"jsonrpc": "2.0", "id": call_id, "method": method}
    if params is not None:
        document["params"] = params
    return build_json_request(url, document, query=query, headers=headers)


def build_multipart_request(
    url: str,
    fields: Mapping[str, str],
    *,
    files: Mapping[str, MultipartFile] | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpRequest:
    """Return a POST of fields and files as multipart/form-data (RFC 7578)."""
    boundary = secrets.token_hex(16)
    sections = [
        _multipart_section(boundary, name, text.encode(), "", "") for name, text in fields.items()
    ]
    sections += [
        _multipart_section(boundary, name, file.content, file.name, file.content_type)
        for name, file in (files or {}).items()
    ]
    own = {"accept": JSON_TYPE, "content-type": f"multipart/form-data; boundary={boundary}"}
    body = b"".join(sections) + f"--{boundary}--\r\n".encode()
    return HttpRequest("POST", url, query or {}, own | dict(headers or {}), body)


def _multipart_section(
    boundary: str, name: str, content: bytes, file_name: str, content_type: str
) -> bytes:
    disposition = f'form-data; name="{_percent_encode_quotes_and_newlines(name)}"'
    if file_name:
        disposition += f'; filename="{_percent_encode_quotes_and_newlines(file_name)}"'
    lines = [f"--{boundary}", f"content-disposition: {disposition}"]
    if content_type:
        lines.append(f"content-type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode() + content + b"\r\n"


def _percent_encode_quotes_and_newlines(text: str) -> str:
    """Quotes and line breaks are percent-encoded, as browsers do (RFC 7578, section 5.1)."""
    return "".join(quote(sign) if sign in '"\r\n' else sign for sign in text)
