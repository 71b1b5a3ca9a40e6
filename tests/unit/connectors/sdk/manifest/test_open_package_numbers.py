"""Polls about open packages: which numbers are asked for, unknown numbers, and the budget."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from connectors.sdk.webhook_and_poll_types import (
    HttpResponse,
    OpenPackage,
    PollContext,
    PolledPage,
    PollError,
)
from tests.unit.connectors.sdk.manifest.samples import NOW, changed, connector, problems
from tests.unit.connectors.sdk.manifest.test_poller import PreparedHttp

POLL = """receive:
  poll:
    every: 30 min
    about: open_packages
    carriers: [acme]
    unnamed_carrier: ["ac[0-9]*"]
    unknown_number: ["404"]
    numbers_per_call: "1"
    limit: {calls: "{$calls}", per: 1 day}
    get: "{$base_url}/track/{$number}"
    headers: {x-number: "{$number}"}
    records: scans[]
"""
MANIFEST = changed(
    ("receive: {webhook: {verify: {bearer: yes}}}\n", POLL),
    (
        "settings:\n",
        "settings:\n  base_url: {help: The URL., type: url}\n"
        "  calls: {help: Calls., type: integer, default: '5'}\n",
    ),
)
EMPTY: dict[str, Any] = {"scans": []}


def poll(
    http: PreparedHttp, packages: Sequence[OpenPackage], *, text: str = MANIFEST, **config: str
) -> list[PolledPage]:
    system = connector(text, base_url="https://acme.test", **config)
    context = PollContext(NOW, lambda *_: packages)
    return list(system.poll_with_context(http, "", [], context))


def urls(http: PreparedHttp) -> list[str]:
    return [url.removeprefix("https://acme.test/track/") for url, _, _ in http.requests]


def test_numbers_of_unnamed_carriers_need_the_form_of_the_carrier() -> None:
    packages = [
        OpenPackage("AC1 22", ""),
        OpenPackage("ac3", ""),
        OpenPackage("AX1", ""),
        OpenPackage("AX2", "Acme"),
    ]
    http = PreparedHttp(EMPTY, EMPTY, EMPTY)
    poll(http, packages)
    assert urls(http) == ["AC1%2022", "AX2", "ac3"]


def test_a_number_cannot_change_the_path_of_the_request() -> None:
    http = PreparedHttp(EMPTY)
    poll(http, [OpenPackage("../a?b=1#c", "Acme")])
    assert urls(http) == ["..%2Fa%3Fb%3D1%23c"]
    assert http.requests[0][2]["x-number"] == "../a?b=1#c"


def test_numbers_that_no_carrier_issues_are_not_asked_for() -> None:
    http = PreparedHttp(EMPTY)
    poll(http, [OpenPackage("AC\N{NUMERO SIGN}1", "Acme"), OpenPackage("AC2", "Acme")])
    assert urls(http) == ["AC2"]


def test_an_unknown_number_ends_no_poll_but_a_wrong_address_does() -> None:
    unknown = HttpResponse(404, {}, b'{"code": "unknown"}')
    http = PreparedHttp(unknown, {"scans": [{"id": 1}]})
    pages = poll(http, [OpenPackage("AC1"), OpenPackage("AC2")])
    assert [json.loads(r.body) for page in pages for r in page.records] == [{"id": 1}]
    for body in (b"<html>", b"", b"{}"):
        with pytest.raises(PollError, match="HTTP 404"):
            poll(PreparedHttp(HttpResponse(404, {}, body)), [OpenPackage("AC1")])
    with pytest.raises(PollError, match="HTTP 400"):
        poll(PreparedHttp(HttpResponse(400, {}, b'{"code": "x"}')), [OpenPackage("AC1")])


def test_the_budget_can_be_a_setting() -> None:
    packages = [OpenPackage(f"AC{number}") for number in range(8)]
    for calls, expected in (("3", 3), ("", 5)):
        http = PreparedHttp(*[EMPTY] * 8)
        poll(http, packages, calls=calls)
        assert len(http.requests) == expected


def test_members_about_open_packages_and_limits_are_checked() -> None:
    not_about = MANIFEST.replace("    about: open_packages\n", "")
    assert any("unknown_number needs about" in p for p in problems(not_about))
    assert any("whole number" in p for p in problems(MANIFEST.replace("{$calls}", "many")))
    assert any(
        "no setting 'callz'" in p for p in problems(MANIFEST.replace("{$calls}", "{$callz}"))
    )


CODES = MANIFEST.replace(
    "    carriers: [acme]\n", "    carrier_codes: {acme: ac_1, ac: ac_2}\n"
).replace("/track/{$number}", "/track/{$carrier}/{$number}")


def test_packages_of_carriers_without_a_code_are_left_out() -> None:
    http = PreparedHttp(EMPTY, EMPTY)
    packages = [
        OpenPackage("1", "Acme Ground"),
        OpenPackage("2", "Acorn"),
        OpenPackage("3", "Bolt"),
        OpenPackage("AC4", ""),
    ]
    poll(http, packages, text=CODES)
    assert urls(http) == ["ac_1/1", "ac_2/2"]


def test_a_setting_can_be_named_carrier_where_no_codes_are_used() -> None:
    setting = "  carrier: {help: The carrier., default: bolt}\n  base_url:"
    text = MANIFEST.replace("  base_url:", setting).replace("/track/", "/track/{$carrier}/")
    http = PreparedHttp(EMPTY)
    poll(http, [OpenPackage("AC1")], text=text)
    assert urls(http) == ["bolt/AC1"]
    with_codes = text.replace("    carriers: [acme]\n", "    carrier_codes: {acme: ac_1}\n")
    assert any("no setting has its name" in p for p in problems(with_codes))


def test_carrier_codes_need_a_request_for_each_number() -> None:
    assert not problems(CODES)
    several = CODES.replace('numbers_per_call: "1"', 'numbers_per_call: "2"')
    assert any("carrier_codes needs numbers_per_call" in p for p in problems(several))


def test_a_round_of_which_every_request_is_refused_fails() -> None:
    text = MANIFEST.replace('unknown_number: ["404"]', 'unknown_number: ["400", "404"]')
    refused = HttpResponse(400, {}, b'{"code": "the header transId is missing"}')
    packages = [OpenPackage(f"AC{number}") for number in range(3)]
    with pytest.raises(PollError, match=r"all 3 requests of this round were refused \(HTTP 400\)"):
        poll(PreparedHttp(*[refused] * 3), packages, text=text)
    pages = poll(PreparedHttp(refused, refused, {"scans": [{"id": 1}]}), packages, text=text)
    assert sum(len(page.records) for page in pages) == 1
    assert poll(PreparedHttp(refused), packages[:1], text=text)
