"""The form of the identity provider: read it, and the values by label for two versions of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from visibility.models import UnknownPeople
from visibility.web.people.single_sign_on.read_provider_values import (
    MAX_GROUPS,
    MAX_LENGTHS,
    SECRET,
)
from visibility.web.permission_labels import ROLE_TITLES
from visibility.web.permissions import UserRole

BLANK_ROWS = 3
CHECKBOXES = ("accepts_second_factor", "is_enabled")
# (field, label, hint), in the order of the form.
TEXT_FIELDS = (
    ("name", "Name on the button (required)", "Such as Acme: the button is “Sign in with Acme”."),
    ("issuer", "Issuer (required)", "The address of the provider, such as https://acme.okta.com."),
    ("client_id", "Client ID (required)", "From the registration at the provider."),
    (SECRET, "Client secret", "It is stored encrypted. It can be replaced but not shown."),
    ("scopes", "Scopes", "Separated by spaces. openid is required; Okta has groups as a scope."),
    ("groups_claim", "Claim with the groups", "Such as groups or roles."),
    (
        "second_factor_acr",
        "acr of a second factor",
        "Blank if the provider proves it with amr only. It is also requested at the sign-in.",
    ),
)
UNKNOWN_PEOPLE_LABELS = {UnknownPeople.REFUSE: "Refuse", UnknownPeople.CREATE: "Create an account"}


@dataclass(frozen=True, slots=True)
class ProviderTextField:
    """A text field as the template shows it."""

    name: str
    label: str
    hint: str
    value: str
    error: str
    max_length: int
    is_secret: bool


def read_form(form: Mapping[str, str]) -> dict[str, Any]:
    """The values of the form, as the API names them."""
    return read_provider_form(form, [name for name, *_ in TEXT_FIELDS], CHECKBOXES)


def read_provider_form(
    form: Mapping[str, str], texts: Iterable[str], checkboxes: Iterable[str]
) -> dict[str, Any]:
    """The values of a form with these fields, and those that both protocols have."""
    return {
        **{name: form.get(name, "") for name in texts},
        "unknown_people": form.get("unknown_people", ""),
        **{name: name in form for name in checkboxes},
        "group_roles": read_group_rows(form),
    }


def read_group_rows(form: Mapping[str, str]) -> list[dict[str, str]]:
    """The entered groups with their roles."""
    return [
        {"group": form.get(f"group_{number}", ""), "role": form.get(f"role_{number}", "")}
        for number in range(1, MAX_GROUPS + BLANK_ROWS + 1)
        if form.get(f"group_{number}", "").strip()
    ]


def text_fields(
    values: Mapping[str, Any],
    errors: Mapping[str, str],
    *,
    fields: Iterable[tuple[str, str, str]] = TEXT_FIELDS,
    max_lengths: Mapping[str, int] = MAX_LENGTHS,
) -> list[ProviderTextField]:
    """The text fields; the secret has no value."""
    return [
        ProviderTextField(
            name=name,
            label=label,
            hint=hint,
            value="" if name == SECRET else str(values[name]),
            error=errors.get(name, ""),
            max_length=max_lengths[name],
            is_secret=name == SECRET,
        )
        for name, label, hint in fields
    ]


def group_rows(group_roles: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The entered rows, and a few blank ones."""
    return [*group_roles, *[{"group": "", "role": ""}] * BLANK_ROWS]


def values_by_label(values: Mapping[str, Any]) -> dict[str, str]:
    """The values as people read them, without the secret."""
    texts = {label: str(values[name]) for name, label, _ in TEXT_FIELDS if name != SECRET}
    unknown_people = values["unknown_people"]
    return {
        **{label.removesuffix(" (required)"): text for label, text in texts.items()},
        "Roles of groups": group_roles_by_label(values["group_roles"]),
        "A person without an account": UNKNOWN_PEOPLE_LABELS.get(unknown_people, ""),
        "Accept the second factor of the provider": yes_or_no(values["accepts_second_factor"]),
        "Show the button on the sign-in page": yes_or_no(values["is_enabled"]),
    }


def group_roles_by_label(group_roles: Sequence[Mapping[str, str]]) -> str:
    """One line for each group."""
    return "\n".join(f"{row['group']}: {_role_title(row['role'])}" for row in group_roles)


def _role_title(role: str) -> str:
    return ROLE_TITLES[UserRole(role)] if role in set(UserRole) else "no role"


def yes_or_no(value: object) -> str:
    """How a checkbox reads."""
    return "Yes" if value else "No"
