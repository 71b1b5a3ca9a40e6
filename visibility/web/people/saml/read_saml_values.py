"""Read each value of the form and of the API for a SAML provider; each error is a sentence."""

from collections.abc import Callable, Mapping
from typing import Any

from visibility.web.people.single_sign_on.read_provider_values import (
    check_issuer_address,
    check_safe_scheme,
    read_group_roles,
    read_unknown_people,
    text_reader,
)

# Not stored: what is read from it is.
METADATA_XML = "metadata_xml"
FIELDS = (
    "name",
    "metadata_address",
    "email_attribute",
    "name_attribute",
    "groups_attribute",
    "group_roles",
    "unknown_people",
    "trusts_email_addresses",
    "accepts_second_factor",
    "second_factor_context",
    "is_enabled",
)
MAX_LENGTHS = {
    "name": 40,
    "metadata_address": 500,
    METADATA_XML: 1_048_576,
    "email_attribute": 200,
    "name_attribute": 200,
    "groups_attribute": 200,
    "second_factor_context": 200,
}


def _read_metadata_address(raw: object) -> str:
    text = text_reader(MAX_LENGTHS["metadata_address"])(raw)
    if text:
        check_safe_scheme(text)
        check_issuer_address(text)
    return text


READERS: Mapping[str, Callable[[object], Any]] = {
    "name": text_reader(MAX_LENGTHS["name"], required=True),
    "metadata_address": _read_metadata_address,
    "email_attribute": text_reader(MAX_LENGTHS["email_attribute"]),
    "name_attribute": text_reader(MAX_LENGTHS["name_attribute"]),
    "groups_attribute": text_reader(MAX_LENGTHS["groups_attribute"]),
    "group_roles": read_group_roles,
    "unknown_people": read_unknown_people,
    "trusts_email_addresses": bool,
    "accepts_second_factor": bool,
    "second_factor_context": text_reader(MAX_LENGTHS["second_factor_context"]),
    "is_enabled": bool,
}
