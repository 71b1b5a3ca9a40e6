"""Requests of Python connectors: URLs, multipart files, and authorization that is tried again."""

from email.message import Message
from email.parser import BytesParser

import pytest

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.http_requests import (
    MultipartFile,
    build_json_rpc_request,
    build_multipart_request,
)
from connectors.sdk.oauth_authorization import OAuth2Authorization, RefreshToken
from connectors.sdk.request_authorization import BaseAuthorization, bearer_authorization
from connectors.sdk.webhook_and_poll_types import HttpRequest, HttpResponse, PollError


class HttpWithPreparedResponses:
    """Returns responses with these statuses and records the requests."""

    def __init__(self, *statuses: int, body: bytes = b"{}") -> None:
        self.statuses, self.body = list(statuses), body
        self.requests: list[HttpRequest] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        if not self.statuses:
            raise ConnectionError("refused")
        return HttpResponse(self.statuses.pop(0), {"Retry-After": "7"}, self.body)


@pytest.mark.parametrize(
    ("url", "query", "full_url"),
    [
        ("https://a.test/x?a=1&b=2", {}, "https://a.test/x?a=1&b=2"),
        ("https://a.test/x?a=1&b=", {"a": "3"}, "https://a.test/x?b=&a=3"),
        ("https://a.test", {"q": "ü +/&"}, "https://a.test?q=%C3%BC%20%2B%2F%26"),
    ],
)
def test_the_query_is_encoded_into_the_url(url: str, query: dict[str, str], full_url: str) -> None:
    assert HttpRequest("GET", url, query).url_with_merged_query == full_url


def test_files_are_uploaded_as_multipart() -> None:
    file = MultipartFile('Q1 "final".csv', b"a;b\r\n\xff", "text/csv")
    request = build_multipart_request("https://a.test", {"kind": "orders"}, files={"file": file})
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    sections = BytesParser().parsebytes(head + request.body).get_payload()
    assert isinstance(sections, list)
    field, upload = sections
    assert isinstance(field, Message)
    assert isinstance(upload, Message)
    assert (field.get_param("name", header="content-disposition")) == "kind"
    assert field.get_payload(decode=True) == b"orders"
    assert upload.get_filename() == "Q1 %22final%22.csv"
    assert upload.get_content_type() == "text/csv"
    assert upload.get_payload(decode=True) == b"a;b\r\n\xff"


def test_a_call_without_params_has_none() -> None:
    assert build_json_rpc_request("https://a.test", "ping", None).body == (
        b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    )


def sent_tokens(http: HttpWithPreparedResponses) -> list[str]:
    return [request.headers["authorization"] for request in http.requests]


def test_a_refused_request_is_sent_once_more_with_the_other_secret() -> None:
    secrets = [bearer_authorization("1"), bearer_authorization("2")]
    request = HttpRequest("GET", "https://a.test")
    accepted = HttpWithPreparedResponses(401, 200, 200)
    requests = AuthorizedRequests(accepted, secrets)
    assert [requests.send_without_secret_renewal(request).status for _ in range(2)] == [200, 200]
    assert sent_tokens(accepted) == ["Bearer 1", "Bearer 2", "Bearer 2"]
    refused = HttpWithPreparedResponses(401, 401, 200)
    with pytest.raises(PollError) as caught:
        AuthorizedRequests(refused, secrets).send_without_secret_renewal(request)
    assert (caught.value.status, caught.value.retry_after) == (401, "7")
    assert sent_tokens(refused) == ["Bearer 1", "Bearer 2"]


def test_other_failures_are_not_repeated() -> None:
    for statuses in ((500, 200), (302, 200), ()):
        http = HttpWithPreparedResponses(*statuses)
        with pytest.raises(PollError):
            AuthorizedRequests(http, [BaseAuthorization()]).send_without_secret_renewal(
                HttpRequest("GET", "https://a")
            )
        assert len(http.requests) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"access_token": ""}', b"<html>"])
def test_an_unusable_token_response_is_a_poll_error(body: bytes) -> None:
    requests = AuthorizedRequests(
        HttpWithPreparedResponses(200, 200, body=body), [OAuth2Authorization("https://a/token", {})]
    )
    with pytest.raises(PollError):
        requests.send_without_secret_renewal(HttpRequest("GET", "https://a"))


def test_a_renewed_secret_must_be_stored() -> None:
    body = b'{"access_token": "a", "refresh_token": "new"}'
    token = RefreshToken("refresh_token", "old")
    requests = AuthorizedRequests(
        HttpWithPreparedResponses(200, 200, body=body),
        [OAuth2Authorization("https://a/token", {}, token)],
    )
    with pytest.raises(RuntimeError, match="must be stored"):
        requests.send_without_secret_renewal(HttpRequest("GET", "https://a"))
    assert "old" not in repr(requests)
