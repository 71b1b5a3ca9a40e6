"""Typed settings: values, errors with a sentence, and reading of invalid settings."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.sdk.events import IdentifierScheme
from connectors.sdk.parse_setting_values import check_charset, check_slug
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.settings import ParsedSettings, Setting, SettingType, parse_and_check_settings

KINDS = tuple(
    Setting(kind.value, "A setting of this type.", kind, choices=("a", "b"))
    if kind is SettingType.CHOICE
    else Setting(kind.value, "A setting of this type.", kind)
    for kind in SettingType
)


def parse(raw: Mapping[str, Any], *declared: Setting) -> ParsedSettings:
    return parse_and_check_settings(declared or KINDS, raw)


def sentences(raw: Mapping[str, Any], *declared: Setting) -> dict[str, str]:
    return {error.name: error.sentence for error in parse(raw, *declared).errors}


def test_each_type_has_a_value() -> None:
    parsed = parse(
        {
            "text": " Dallas ",
            "integer": "-12",
            "decimal": "0.10",
            "boolean": "yes",
            "choice": "b",
            "duration": "90 min",
            "zone": "America/Chicago",
            "url": "https://shop.example.com:8443/api",
            "date": "2026-01-31T08:00:00Z",
            "scheme_at_issuer": "sales_order@erp",
            "secret": "ck_1:cs_2",
        }
    )
    assert not parsed.errors
    assert parsed.text("text") == "Dallas"
    assert parsed.integer("integer") == -12
    assert parsed.decimal("decimal") == Decimal("0.10")
    assert parsed.is_on("boolean")
    assert parsed.text("choice") == "b"
    assert parsed.duration("duration") == timedelta(minutes=90)
    assert parsed.text("zone") == "America/Chicago"
    assert parsed.text("url") == "https://shop.example.com:8443/api"
    default = (IdentifierScheme.ORDER_NUMBER, "wms")
    assert parsed.identifier_scheme_and_issuer("scheme_at_issuer", default) == (
        "sales_order",
        "erp",
    )
    assert parse({}).identifier_scheme_and_issuer("scheme_at_issuer", default) == default


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("text", "x" * 1_001, "The value is longer than 1000 characters."),
        ("text", "a\0b", "The value contains characters that cannot be stored."),
        ("integer", "1.5", "'1.5' is not a whole number."),
        ("integer", "٣", "'٣' is not a whole number."),
        ("decimal", "1,5", "'1,5' is not a number."),
        ("decimal", "NaN", "'NaN' is not a number."),
        ("boolean", "maybe", "'maybe' is neither yes nor no."),
        ("choice", "c", "'c' is not one of a, b."),
        ("duration", "5", "'5' is not a duration, such as 30 min, 1 h or 1 day."),
        ("duration", "5 weeks", "'5 weeks' is not a duration, such as 30 min, 1 h or 1 day."),
        ("zone", "Texas", "'Texas' is not an IANA time zone, such as America/Chicago."),
        (
            "zone",
            "../etc/passwd",
            "'../etc/passwd' is not an IANA time zone",
        ),
        ("url", "ftp://x", "'ftp://x' is not an http or https URL."),
        ("url", "https://[", "'https://[' is not an http or https URL."),
        ("url", "https://u:p@x", "The URL must not contain a user name or a password."),
        ("date", "31.01.2026", "'31.01.2026' is not a date or time, such as 2026-01-31."),
        ("scheme_at_issuer", "order@erp", "'order' is not a scheme"),
        ("scheme_at_issuer", "sales_order", "is not of the form scheme@source"),
        ("scheme_at_issuer", "sales_order@my erp", "'my erp' is not a slug"),
    ],
)
def test_an_invalid_value_has_a_sentence(name: str, value: str, sentence: str) -> None:
    assert sentence in sentences({name: value})[name]


def test_unknown_and_missing_settings_are_errors() -> None:
    needed = Setting("site", "The site of the warehouse.", required=True)
    by_name = sentences({"color": "red"}, needed)
    assert by_name["site"] == "This setting is required."
    assert "no setting 'color'" in by_name["color"]
    assert "site" in by_name["color"]


def test_bounds_and_own_checks_apply() -> None:
    size = Setting("size", "The page size.", SettingType.INTEGER, minimum=1, maximum=10)
    charset = Setting("charset", "The character set.", check=check_charset)
    assert sentences({"size": "0"}, size) == {"size": "0 is less than 1."}
    assert sentences({"size": "11"}, size) == {"size": "11 is more than 10."}
    assert "not a known character set" in sentences({"charset": "base64"}, charset)["charset"]
    assert not sentences({"size": "10", "charset": "cp1252"}, size, charset)


def test_a_family_has_one_value_per_id() -> None:
    family = Setting("customer.<ISA id>", "The customer of this partner.")
    parsed = parse({"customer.ACME": "C1", "customer.B": "C2"}, family)
    assert parsed.values_of_family_by_id("customer.") == {"ACME": "C1", "B": "C2"}
    assert "customer." in sentences({"customer.": "C1"}, family)


def test_reading_an_invalid_setting_is_an_error_and_not_the_default() -> None:
    zone = Setting("zone", "The zone.", SettingType.ZONE, default="UTC")
    parsed = parse({"zone": "Texas"}, zone)
    with pytest.raises(PayloadError) as caught:
        parsed.text("zone")
    assert caught.value.reason is ParkReason.MAPPING
    assert "zone: 'Texas' is not an IANA time zone" in caught.value.detail
    assert parse({}, zone).text("zone") == "UTC"


@pytest.mark.parametrize("stored", [None, 7, True, ["a"], {"b": 1}, "\ud800"])
def test_any_stored_value_is_parsed_or_reported(stored: object) -> None:
    for setting in KINDS:
        parsed = parse({setting.name: stored}, setting)
        assert setting.name in parsed.values or parsed.errors


def test_slugs() -> None:
    check_slug("shop-2_eu")
    for bad in ("", "my shop", "shop/eu", "größe", "x" * 61, "a\n"):
        with pytest.raises(ValueError, match="is not a slug"):
            check_slug(bad)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("base_url", "Base URL"),
        ("oauth_client_id", "OAuth client ID"),
        ("sku", "SKU"),
        ("customer.<ISA id>", "Customer"),
    ],
)
def test_a_label_is_derived_from_the_name(name: str, label: str) -> None:
    assert Setting(name, "Help.").label_or_derived_label == label
    assert Setting(name, "Help.", label="Other").label_or_derived_label == "Other"
