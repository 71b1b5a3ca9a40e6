"""The form of the SAML provider: read it, and the values by label for two versions of it."""

from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from visibility.web.people.saml.read_saml_values import MAX_LENGTHS, METADATA_XML
from visibility.web.people.single_sign_on.form_values import (
    UNKNOWN_PEOPLE_LABELS,
    ProviderTextField,
    group_roles_by_label,
    read_provider_form,
    text_fields,
    yes_or_no,
)

CHECKBOXES = ("trusts_email_addresses", "accepts_second_factor", "is_enabled")
# (field, label, hint), in the order of the form.
TEXT_FIELDS = (
    ("name", "Name on the button (required)", "Such as Acme: the button is “Sign in with Acme”."),
    (
        "metadata_address",
        "Address of the metadata",
        "Or leave it blank, and paste or upload the metadata below.",
    ),
    (
        "email_attribute",
        "Attribute with the email address",
        "Its full name, often an address. Blank: the NameID, if its format is emailAddress.",
    ),
    ("name_attribute", "Attribute with the full name", "For new accounts."),
    ("groups_attribute", "Attribute with the groups", "Such as groups, or its full name."),
    (
        "second_factor_context",
        "AuthnContextClassRef of a second factor",
        "Beside https://refeds.org/profile/mfa. It is also requested at the sign-in.",
    ),
)


def read_saml_form(form: Mapping[str, str], file: "UploadedFile[Any] | None") -> dict[str, Any]:
    """The values of the form, as the API names them. An uploaded file wins over pasted text."""
    names = [METADATA_XML, *(name for name, *_ in TEXT_FIELDS)]
    values = read_provider_form(form, names, CHECKBOXES)
    if file is not None and file.size:
        raw = file.read(MAX_LENGTHS[METADATA_XML] + 1)
        values[METADATA_XML] = raw.decode("utf-8-sig", errors="replace")
    return values


def saml_text_fields(
    values: Mapping[str, Any], errors: Mapping[str, str]
) -> list[ProviderTextField]:
    """The text fields of one line."""
    return text_fields(values, errors, fields=TEXT_FIELDS, max_lengths=MAX_LENGTHS)


def saml_values_by_label(values: Mapping[str, Any]) -> dict[str, str]:
    """The values as people read them, without the metadata."""
    return {
        **{label.removesuffix(" (required)"): str(values[name]) for name, label, _ in TEXT_FIELDS},
        "Roles of groups": group_roles_by_label(values["group_roles"]),
        "A person without an account": UNKNOWN_PEOPLE_LABELS.get(values["unknown_people"], ""),
        "The provider has verified email addresses": yes_or_no(values["trusts_email_addresses"]),
        "Accept the second factor of the provider": yes_or_no(values["accepts_second_factor"]),
        "Show the button on the sign-in page": yes_or_no(values["is_enabled"]),
    }
