"""Manifests poll a vendor over HTTP: each kind of request and each kind of authorization."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.webhook_and_poll_types import PollContext, PolledPage, PollError
from tests.builders.vendor_server import Answer, VendorRequest, VendorServer
from tests.unit.connectors.sdk.manifest.samples import NOW, changed, connector
from visibility.outbound.http_client import OutgoingHttpClient

ROWS = [
    {"id": f"{n}", "number": f"S{n}", "changed": f"2026-03-02T10:0{n}:00Z"} for n in range(1, 6)
]
GRAPHQL = """
    post: "{$base_url}/graphql"
    graphql:
      query: "query($first: Int!, $since: String, $after: String) { orders { nodes { id } } }"
      variables:
        first: {$integer: "2"}
        since: {$optional: "{$since}"}
        after: {$optional: "{$page_cursor}"}
    records: data.orders.nodes
    cursor: {field: changed}
    next: {page_info: data.orders.pageInfo}
"""
JSON_RPC = """
    post: "{$base_url}/jsonrpc"
    json_rpc:
      method: orders.list
      params: {offset: {$integer: "{$offset}"}, limit: {$integer: "2"}, since: "{$since}"}
    records: result
    cursor: {field: changed}
    next: {offset_in_body: yes, size: "2"}
"""
LIST = """
    get: "{$base_url}/orders"
    records: rows
    cursor: {field: changed, query: since}
"""
FILES = """
    get: "{$base_url}/files"
    records: files
    record_key: "{name} {size}"
    files: {url: "{link}", name: "{name}", pattern: "*.csv"}
"""


@pytest.fixture
def vendor(settings: Settings) -> Iterator[VendorServer]:
    server = VendorServer([dict(row) for row in ROWS])
    settings.OUTGOING_ALLOWED = [server.address]
    yield server
    server.close()


def poll(
    vendor: VendorServer,
    request: str,
    auth: str = "",
    cursor: str = "",
    secrets: tuple[bytes, ...] = (b"s1",),
    config: Mapping[str, str] | None = None,
) -> Iterator[PolledPage]:
    auth = f"    auth: {auth}\n" if auth else ""
    names = "base_url, refresh_token, consumer_secret, token_secret"
    declared = "".join(
        f"  {name}: {{help: A setting., type: {'url' if name == 'base_url' else 'secret'}}}\n"
        for name in names.split(", ")
        if f"{{${name}}}" in request + auth
    )
    text = changed(
        (
            "receive: {webhook: {verify: {bearer: yes}}}\n",
            f"receive:\n  poll:\n    every: 5 min{request}{auth}",
        ),
        ("settings:\n", f"settings:\n{declared}"),
    )
    system = connector(text, base_url=vendor.url, **(config or {}))
    return system.poll_with_context(OutgoingHttpClient(), cursor, secrets, PollContext(NOW))


def ids(pages: list[PolledPage]) -> list[str]:
    return [json.loads(record.body)["id"] for page in pages for record in page.records]


@pytest.mark.parametrize(("request_", "calls"), [(GRAPHQL, 3), (JSON_RPC, 3), (LIST, 1)])
def test_every_page_is_read_and_the_next_poll_continues_from_the_newest_change(
    vendor: VendorServer, request_: str, calls: int
) -> None:
    pages = list(poll(vendor, request_))
    assert ids(pages) == ["1", "2", "3", "4", "5"]
    assert len(vendor.requests) == calls
    vendor.rows.append({"id": "6", "number": "S6", "changed": "2026-03-02T11:00:00Z"})
    assert ids(list(poll(vendor, request_, cursor=pages[-1].cursor))) == ["5", "6"]


@pytest.mark.parametrize("kind", ["form", "multipart"])
def test_fields_of_forms_are_sent(vendor: VendorServer, kind: str) -> None:
    vendor.rows[0]["id"] = 'a&b="ü"'
    request = (
        f'\n    post: "{{$base_url}}/search"\n    {kind}: {{id: \'a&b="ü"\'}}\n    records: rows\n'
    )
    assert ids(list(poll(vendor, request))) == ['a&b="ü"']


def test_graphql_errors_of_a_200_response_are_poll_errors(vendor: VendorServer) -> None:
    errors = [{"message": "Field 'x' doesn't exist"}]
    vendor.answers["/graphql"] = lambda _: Answer(200, {"data": None, "errors": errors})
    with pytest.raises(PollError, match="GraphQL response has errors: Field 'x' doesn't exist"):
        list(poll(vendor, GRAPHQL))
    throttled = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
    vendor.answers["/graphql"] = lambda _: Answer(200, {"errors": throttled})
    with pytest.raises(PollError) as caught:
        list(poll(vendor, GRAPHQL))
    assert caught.value.status == 429


@pytest.mark.parametrize(
    ("info", "message"),
    [({}, "has no data.orders.pageInfo.hasNextPage"), ({"hasNextPage": True}, "no .*endCursor")],
)
def test_incomplete_page_info_is_a_poll_error(
    vendor: VendorServer, info: dict[str, Any], message: str
) -> None:
    orders = {"nodes": [], "pageInfo": info}
    vendor.answers["/graphql"] = lambda _: Answer(200, {"data": {"orders": orders}})
    with pytest.raises(PollError, match=message):
        list(poll(vendor, GRAPHQL))


def test_errors_of_json_rpc_are_poll_errors(vendor: VendorServer) -> None:
    with pytest.raises(PollError, match="returned the error -32601: Method not found"):
        list(poll(vendor, JSON_RPC.replace("orders.list", "orders.search")))
    for document, message in (
        ({"jsonrpc": "2.0", "id": 1}, "neither a result nor an error"),
        ({"jsonrpc": "2.0", "id": 2, "result": []}, "answers another call"),
        ([], "not a JSON-RPC object"),
    ):
        vendor.answers["/jsonrpc"] = lambda _, document=document: Answer(200, document)  # type: ignore[misc] # bound at once
        with pytest.raises(PollError, match=message):
            list(poll(vendor, JSON_RPC))


def test_a_response_without_its_list_is_a_poll_error_unless_it_is_optional(
    vendor: VendorServer,
) -> None:
    vendor.answers["/orders"] = lambda _: Answer(200, {"message": "Maintenance"})
    with pytest.raises(PollError, match="the response has no rows"):
        list(poll(vendor, LIST))
    assert ids(list(poll(vendor, LIST + "    records_optional: yes\n"))) == []
    vendor.answers["/orders"] = lambda _: Answer(200, {"rows": None})
    assert ids(list(poll(vendor, LIST))) == []


def test_each_listed_file_is_requested_once(vendor: VendorServer) -> None:
    vendor.files = {f"SHIP_{n:02}.csv": b"a;b\n" * n for n in range(1, 13)} | {"readme.txt": b"x"}
    pages = list(poll(vendor, FILES, "{header: {name: x-key, value: '{$secret}'}}"))
    records = [record for page in pages for record in page.records]
    assert [r.headers["x-file-name"] for r in records] == sorted(vendor.files)[:12]
    assert records[1].body == b"a;b\na;b\n"
    assert records[1].dedupe_key == "file SHIP_02.csv 8"
    assert [len(page.records) for page in pages] == [10, 2, 0]
    assert {r.headers["x-key"] for r in vendor.requests} == {"s1"}
    vendor.requests.clear()
    vendor.files["SHIP_99.csv"] = b"new"
    later = list(poll(vendor, FILES, cursor=pages[-1].cursor))
    assert [r.body for page in later for r in page.records] == [b"new"]
    assert len(vendor.requests) == 2


def test_an_interrupted_listing_continues_after_the_stored_files(vendor: VendorServer) -> None:
    vendor.files = {f"{n:02}.csv": b"%d" % n for n in range(25)}
    first = next(poll(vendor, FILES))
    vendor.requests.clear()
    later = list(poll(vendor, FILES, cursor=first.cursor))
    assert [len(page.records) for page in later] == [10, 5, 0]
    assert len(vendor.requests) == 16


def test_a_missing_file_is_reported_after_the_others_are_read(vendor: VendorServer) -> None:
    vendor.files = {"1.csv": b"", "2.csv": b"two"}
    pages = poll(vendor, FILES)
    assert [record.body for record in next(pages).records] == [b"two"]
    cursor = next(pages).cursor
    with pytest.raises(PollError, match=r"the file '1\.csv': the request returned HTTP 404"):
        next(pages)
    vendor.files["1.csv"] = b"one"
    listing = FILES.replace("{name} {size}", "{name}")
    records = [r for page in poll(vendor, listing, cursor="") for r in page.records]
    assert [r.body for r in records] == [b"one", b"two"]
    assert cursor


def test_a_file_on_another_host_is_requested_only_without_authorization(
    vendor: VendorServer, settings: Settings
) -> None:
    store = VendorServer([])
    settings.OUTGOING_ALLOWED = [vendor.address, store.address]
    store.files = {"1.csv": b"one"}
    link = {"name": "1.csv", "link": f"{store.url}/files/1.csv", "size": 3}
    vendor.answers["/list"] = lambda _: Answer(200, {"files": [link]})
    listing = FILES.replace('"{$base_url}/files"', '"{$base_url}/list"')
    auth = "{bearer: '{$secret}'}"
    try:
        with pytest.raises(PollError, match="points to another host"):
            list(poll(vendor, listing, auth))
        open_listing = listing.replace('pattern: "*.csv"', "authorized: no")
        pages = list(poll(vendor, open_listing, auth))
    finally:
        store.close()
    assert pages[0].records[0].body == b"one"
    assert "authorization" not in store.requests[0].headers


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("auth", "is_valid"),
    [
        ("{basic: 'u:{$secret}'}", lambda r: r.headers["authorization"] == basic("u:s1")),
        ("{bearer: '{$secret}'}", lambda r: r.headers["authorization"] == "Bearer s1"),
        ("{header: {name: X-Key, value: '{$secret}'}}", lambda r: r.headers["x-key"] == "s1"),
        ("{query_token: {name: key, value: '{$secret}'}}", lambda r: r.query["key"] == "s1"),
    ],
)
def test_fixed_credentials(vendor: VendorServer, auth: str, is_valid: Any) -> None:
    vendor.authorize = is_valid
    assert len(ids(list(poll(vendor, LIST, auth)))) == 5


def test_the_query_token_replaces_that_of_a_link(vendor: VendorServer) -> None:
    link = f"{vendor.url}/more?page=2&key=hidden"
    vendor.answers["/orders"] = lambda _: Answer(200, {"rows": [], "next": link})
    vendor.answers["/more"] = lambda _: Answer(200, {"rows": vendor.rows})
    pages = list(
        poll(
            vendor,
            LIST + "    next: {url_field: next}\n",
            "{query_token: {name: key, value: '{$secret}'}}",
        )
    )
    assert len(ids(pages)) == 5
    assert vendor.requests[1].query == {"page": "2", "key": "s1"}


@pytest.mark.parametrize(
    ("options", "signed", "digest"),
    [
        (
            "encoding: base64, prefix: 'v1='",
            "{method}\\n{path_and_query}\\n{timestamp}\\n{body}",
            "sha256",
        ),
        ("algorithm: sha512", "{timestamp}.{url}.{body_sha256}", "sha512"),
        ("algorithm: sha1, timestamp: unix_ms", "{timestamp} {host}{path}?{query}", "sha1"),
    ],
)
def test_signed_requests(vendor: VendorServer, options: str, signed: str, digest: str) -> None:
    def is_signed(request: VendorRequest) -> bool:
        stamp = request.headers["x-time"]
        address, _, query = request.target.partition("?")
        texts = {
            "{method}\\n{path_and_query}\\n{timestamp}\\n{body}": (
                f"{request.method}\n{request.target}\n{stamp}\n".encode() + request.body
            ),
            "{timestamp}.{url}.{body_sha256}": (
                f"{stamp}.{vendor.url}{request.target}."
                f"{hashlib.sha256(request.body).hexdigest()}".encode()
            ),
            "{timestamp} {host}{path}?{query}": (
                f"{stamp} {vendor.address}{address}?{query}".encode()
            ),
        }
        expected = hmac.new(b"s1", texts[signed], digest).digest()
        given = request.headers["x-sign"]
        if "base64" in options:
            return given == "v1=" + base64.b64encode(expected).decode()
        return given == expected.hex()

    vendor.authorize = is_signed
    auth = (
        "{hmac: {secret: '{$secret}', header: X-Sign, timestamp_header: X-Time, "
        f'signed: "{signed}", {options}}}}}'
    )
    request = LIST + '    query: {"filter[a]": "x y+z/ü"}\n'
    assert len(ids(list(poll(vendor, request, auth)))) == 5
    assert len(ids(list(poll(vendor, GRAPHQL, auth)))) == 5
    with pytest.raises(PollError, match="HTTP 401"):
        list(poll(vendor, request, auth, secrets=(b"wrong",)))


def is_signed_by_oauth1(vendor: VendorServer, request: VendorRequest) -> bool:
    """RFC 5849, section 3.4, written from its text."""
    scheme, _, parameters = request.headers["authorization"].partition(" ")
    given = {n: unquote(v.strip('"')) for n, v in (p.split("=", 1) for p in parameters.split(", "))}
    assert scheme == "OAuth"
    assert given.pop("realm") == "77_SB"
    assert given["oauth_signature_method"] == "HMAC-SHA256"
    assert given["oauth_timestamp"] == str(int(NOW.timestamp()))
    signature = given.pop("oauth_signature")

    def encode(text: str) -> str:
        return quote(text, safe="-._~")

    pairs = sorted((encode(n), encode(v)) for n, v in (given | request.query).items())
    text = "&".join(f"{name}={value}" for name, value in pairs)
    base = "&".join([request.method, encode(vendor.url + request.path), encode(text)])
    digest = hmac.new(b"c%26s&ts", base.encode(), "sha256").digest()
    return signature == base64.b64encode(digest).decode()


def test_requests_are_signed_by_oauth_1(vendor: VendorServer) -> None:
    vendor.authorize = lambda request: is_signed_by_oauth1(vendor, request)
    auth = (
        "{oauth1: {consumer_key: ck, consumer_secret: '{$consumer_secret}', token: t, "
        "token_secret: '{$token_secret}', realm: 77_SB}}"
    )
    secrets = {"consumer_secret": "c&s", "token_secret": "ts"}
    request = LIST + '    query: {q: "status = open & ü/+"}\n'
    assert len(ids(list(poll(vendor, request, auth, config=secrets)))) == 5
    assert len(ids(list(poll(vendor, GRAPHQL, auth, config=secrets)))) == 5
    nonces = {r.headers["authorization"].partition('nonce="')[2][:32] for r in vendor.requests}
    assert len(nonces) == len(vendor.requests) == 4


CLIENT = "token_url: '{$base_url}/token', client_id: 'c:1', client_secret: '{$secret}'"


@pytest.mark.parametrize("client_auth", ["form", "basic"])
def test_client_credentials(vendor: VendorServer, client_auth: str) -> None:
    vendor.authorize = vendor.has_current_token
    options = f"{CLIENT}, scope: read, client_auth: {client_auth}"
    auth = f"{{oauth2_client_credentials: {{{options}}}}}"
    assert len(ids(list(poll(vendor, GRAPHQL, auth)))) == 5
    token_request, *others = vendor.requests
    assert len(others) == 3
    if client_auth == "basic":
        assert token_request.headers["authorization"] == basic("c%3A1:s1")
        assert token_request.body == b"grant_type=client_credentials&scope=read"
    else:
        assert b"client_id=c%3A1&client_secret=s1&scope=read" in token_request.body


def test_a_refused_token_is_fetched_once_again(vendor: VendorServer) -> None:
    vendor.authorize = lambda r: vendor.has_current_token(r) and len(vendor.access_tokens) > 1
    auth = f"{{oauth2_client_credentials: {{{CLIENT}}}}}"
    assert len(ids(list(poll(vendor, LIST, auth)))) == 5
    assert [r.path for r in vendor.requests] == ["/token", "/orders", "/token", "/orders"]
    vendor.requests.clear()
    vendor.authorize = lambda _: False
    with pytest.raises(PollError, match="the request returned HTTP 401"):
        list(poll(vendor, LIST, auth))
    assert len(vendor.requests) == 4


def test_the_token_request_tries_the_other_secret_of_a_rotation(vendor: VendorServer) -> None:
    vendor.authorize = vendor.has_current_token
    answer_token = vendor.answers["/token"]
    vendor.answers["/token"] = lambda r: (
        answer_token(r) if b"secret=old" in r.body else Answer(401, {"error": "invalid_client"})
    )
    auth = f"{{oauth2_client_credentials: {{{CLIENT}}}}}"
    assert len(ids(list(poll(vendor, LIST, auth, secrets=(b"new", b"old"))))) == 5
    with pytest.raises(PollError, match=r"the token request returned HTTP 401 \(invalid_client\)"):
        list(poll(vendor, LIST, auth, secrets=(b"new",)))


def test_a_renewed_refresh_token_is_handed_over_before_the_request(vendor: VendorServer) -> None:
    vendor.authorize = vendor.has_current_token
    auth = f"{{oauth2_refresh_token: {{{CLIENT}, refresh_token: '{{$refresh_token}}'}}}}"
    pages = poll(vendor, LIST, auth, config={"refresh_token": "refresh-1"})
    first = next(pages)
    assert [r.path for r in vendor.requests] == ["/token"]
    (renewed,) = first.renewed_secrets
    assert (renewed.setting, renewed.old, renewed.new) == (
        "refresh_token",
        "refresh-1",
        "refresh-2",
    )
    assert "refresh-" not in repr(first)
    assert len(ids(list(pages))) == 5
    with pytest.raises(PollError, match=r"the token request returned HTTP 400 \(invalid_grant\)"):
        list(poll(vendor, LIST, auth, config={"refresh_token": "refresh-1"}))


def test_a_failing_call_counts_for_the_budget(vendor: VendorServer) -> None:
    limit = '    limit: {calls: "2", per: 1 day}\n'
    vendor.answers["/orders"] = lambda _: Answer(503, {}, {"Retry-After": "7"})
    cursor = ""
    for _ in range(2):
        pages = poll(vendor, LIST + limit, cursor=cursor)
        cursor = next(pages).cursor
        with pytest.raises(PollError) as caught:
            next(pages)
        assert caught.value.retry_after == "7"
    assert list(poll(vendor, LIST + limit, cursor=cursor)) == []
    assert len(vendor.requests) == 2
