"""Problems of manifests: each names its line and path, and nothing dangerous is accepted."""

import pytest

from connectors.sdk.manifest.manifest_parser import parse_manifest
from connectors.sdk.manifest.problems import InvalidManifest
from connectors.sdk.manifest.yaml_reader import MAX_BYTES, read_yaml
from connectors.sdk.settings import SettingType
from tests.unit.connectors.sdk.manifest.samples import VALID, changed, problems


def test_the_sample_has_no_problems() -> None:
    assert problems(VALID) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the file is empty"),
        ("a: [1", "not valid YAML"),
        ("a: 1\na: 2", "the key 'a' appears twice"),
        ("a: &x 1\nb: *x", "anchors and aliases are not allowed"),
        ("a: &x [1]\nb: [*x, *x]", "anchors and aliases are not allowed"),
        ("? [1, 2]\n: 3", "a key must be text"),
        ("a: \x07", "characters that YAML does not allow"),
        ("[" * 50 + "]" * 50, "nested deeper than 20"),
        ("a: " + "x" * MAX_BYTES, "larger than"),
        (b"\xff\xfea", "not UTF-8"),
        ("a: 1\n---\nb: 2", "not valid YAML"),
        ("a: !!python/object/apply:os.system ['id']\n  b", "not valid YAML"),
    ],
)
def test_dangerous_or_invalid_yaml_is_rejected(text: str | bytes, sentence: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        read_yaml(text)
    assert sentence in str(caught.value)


def test_long_paths_are_rejected() -> None:
    listed = problems(changed(("lines: {ordered: qty}", f"lines: {{ordered: '{'[1]' * 2_000}x'}}")))
    assert any("a path has at most 300 characters" in problem for problem in listed)


def test_scalars_are_texts_and_tags_have_no_effect() -> None:
    content = read_yaml(
        "a: 1\nb: yes\nc: 2026-01-01\nd: !!python/name:os.system x\ne: null"
    ).content
    assert content == {"a": "1", "b": "yes", "c": "2026-01-01", "d": "x", "e": "null"}


@pytest.mark.parametrize(
    ("replacement", "problem"),
    [
        (("type: order.received", "type: order.recieved"), "14 events[0].type unknown event type"),
        (("scheme: sales_order", "scheme: so"), "11 order.numbers[0].scheme 'so' is not one of"),
        (("lines: {ordered: qty}", "lines: {orderd: qty}"), "17 events[0].lines 'orderd'"),
        ((', zone: "{$zone}"', ""), "16 events[0].at a time needs either a zone or"),
        (('zone: "{$zone}"', "zone: Texas"), "16 events[0].at.zone 'Texas' is not an IANA"),
        (('key: "order {id}"', "key: order"), "15 events[0].key a key needs an id"),
        (('key: "order {id}"', 'key: "order {id?}"'), "15 events[0].key a key needs an id"),
        (('key: "order {id}"', 'key: "order {id"'), "15 events[0].key '"),
        (("type: order.received", "type: shipment.confirmed"), "14 events[0] its quantities need"),
        (
            ("    at: {", "    if: {state: open}\n    at: {"),
            "16 events[0].if.state declare all codes of 'state' under codes",
        ),
        (("title: Sample", "title: Sample\nsurprise: 1"), "5 surprise unknown 'surprise'"),
        (("role: erp\n", ""), "2  'role' is missing"),
        (("role: erp", "role: boss"), "5 role 'boss' is not one of shop"),
        (("{bearer: yes}", "{}"), "9 receive.webhook.verify give exactly one of hmac"),
        (("{bearer: yes}", "{bearer: yes, header: x}"), "9 receive.webhook.verify header belongs"),
        (("{bearer: yes}", "{hmac: sha256}"), "hmac needs the header of the signature"),
        (
            ("number}", "number, issuer: '{$erp}'}"),
            "11 order.numbers[0].issuer there is no setting",
        ),
        (('zone: "{$zone}"', "zone: UTC"), "8 settings.zone the setting 'zone' is never used"),
        (("America/Chicago", "Chicago"), "8 settings.zone.default 'Chicago' is not an IANA"),
        (("value: at,", "value: at, format: '%d.%q',"), "16 events[0].at.format '%d.%q' is not"),
        (("order: {numbers", "xorder: {numbers"), "11 xorder unknown 'xorder'"),
        (("lines: {each: lines, line_id: id, sku: sku}\n", ""), "there are no lines; declare"),
        (("each: lines", 'each: "a..b"'), "12 lines.each 'a..b' is not a path"),
        (("sku: sku", "sku: {value: a, const: b}"), "12 lines.sku give exactly one of value"),
        (("sku: sku", "sku: {value: a, else: b}"), "12 lines.sku.else else needs a map"),
        (("sku: sku", "sku: {python: 1}"), "12 lines.sku.python unknown 'python'"),
        (("gives: [order.received]", "gives: [a], ignored: b"), "19 examples[0] give exactly one"),
        (("{text: '", "{file: ../../x, text: '"), "the file must be inside the folder of samples"),
        (("read: {format: json}", "read: {format: json, group: [a]}"), "group belongs to csv"),
        (
            ("title: Sample", "title: whsec_0123456789abcdef"),
            "4 title this looks like a secret",
        ),
    ],
)
def test_each_problem_has_line_and_path(replacement: tuple[str, str], problem: str) -> None:
    reported = problems(changed(replacement))
    assert any(problem in text for text in reported), reported


POLL = "receive: {poll: {every: 5 min, get: https://a.test, auth: {basic: 'user:password'}}}"


def test_a_secret_in_the_file_is_rejected() -> None:
    webhook = "receive: {webhook: {verify: {bearer: yes}}}"
    assert any("a secret must not be in the file" in p for p in problems(changed((webhook, POLL))))
    safe = POLL.replace("'user:password'", "'user:{$secret}'")
    assert problems(changed((webhook, safe))) == []
    secret = 'settings:\n  key: {help: "The key.", type: secret, default: abc}'
    assert any(
        "a secret must not be in the file" in p for p in problems(changed(("settings:", secret)))
    )


def test_a_code_that_is_not_declared_is_reported() -> None:
    text = changed(("    at: {", "    if: {state: [open, clsoed]}\n    at: {"))
    text += "codes: {state: [open, closed]}\n"
    assert problems(text) == ["16 events[0].if.state 'clsoed' is missing in codes.state"]


def test_every_problem_is_reported_at_once() -> None:
    text = changed(("order.received\n", "order.recieved\n"), ('"order {id}"', "order"))
    assert len(problems(text)) == 2


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ("get: a, body: {a: b}", "body body needs post"),
        ("post: a, form: {a: b}, body: {a: b}", "give one of body, form, multipart"),
        ("post: a, graphql: {variables: {a: b}}", "graphql 'query' is missing"),
        ("post: a, json_rpc: {params: {a: b}}", "json_rpc 'method' is missing"),
        ("post: a, form: {a: {b: c}}", "form.a"),
        ("get: a, auth: {bearer: '{$secret}', basic: '{$secret}'}", "auth give one of basic"),
        ("get: a, auth: {bearer: abc}", "auth.bearer a secret must not be in the file"),
        (
            "get: a, auth: {query_token: {name: a, value: abc}}",
            "auth.query_token.value a secret must not be in the file",
        ),
        (
            "get: a, auth: {hmac: {secret: '{$secret}', header: x, signed: '{boddy}'}}",
            "auth.hmac.signed unknown placeholder 'boddy'; the names are body",
        ),
        (
            "get: a, auth: {hmac: {secret: '{$secret}', header: x, signed: '{timestamp}'}}",
            "auth.hmac.signed the signed timestamp needs timestamp_header",
        ),
        (
            "get: a, auth: {oauth2_refresh_token: {token_url: a, client_id: b, "
            "client_secret: '{$secret}', refresh_token: 'x{$secret}'}}",
            "refresh_token the refresh token must be a setting of type secret",
        ),
        (
            "get: a, auth: {oauth2_refresh_token: {token_url: a, client_id: b, "
            "client_secret: '{$secret}', refresh_token: '{$zone}'}}",
            "refresh_token a secret must not be in the file",
        ),
        ("get: a, auth: {oauth1: {consumer_key: a}}", "'consumer_secret' is missing"),
        ("post: a, next: {page_info: p}", "next page_info needs {$page_cursor} in the request"),
        ("post: a, next: {page_in_body: yes}", "next page_in_body needs {$page} in the request"),
        ("post: a, next: {offset_in_body: yes}", "offset_in_body needs {$offset}"),
        ("get: a, next: {cursor_field: c}", "cursor_field needs cursor_query, or {$page_cursor}"),
        ("get: a, next: {cursor_query: c}", "cursor_query needs cursor_field"),
        ("get: a, cursor: {field: c}", "the cursor needs query or header"),
        ("post: a, files: {url: u, name: n}", "files files need a listing that is read with get"),
    ],
)
def test_each_problem_of_a_poll_is_reported(members: str, problem: str) -> None:
    webhook = "receive: {webhook: {verify: {bearer: yes}}}"
    poll = f"receive: {{poll: {{every: 5 min, {members}}}}}"
    reported = problems(changed((webhook, poll)))
    assert any(problem in text for text in reported), reported


def test_names_that_polls_fill_in_are_no_settings() -> None:
    for name in ("since", "page_cursor", "page", "offset", "secret"):
        text = changed(("settings:\n", f"settings:\n  {name}: A name.\n"))
        assert any("settings" in problem for problem in problems(text))


def test_a_setting_has_the_label_of_the_manifest_and_an_issuer_is_a_source() -> None:
    text = changed(
        ("zone: {help", "erp: The ERP.\n  zone: {label: Time zone of the site, help"),
        ("{scheme: sales_order,", "{scheme: sales_order, issuer: '{$erp}',"),
    )
    erp, zone = parse_manifest(text).settings
    assert (zone.label, erp.label_or_derived_label) == ("Time zone of the site", "ERP")
    assert (zone.type, erp.type) == (SettingType.ZONE, SettingType.SOURCE)
    (problem,) = problems(changed(("zone: {help", "zone: {label: '', help")))
    assert "settings.zone.label" in problem
