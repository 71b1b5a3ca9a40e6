"""What storing an identity provider has in common for both protocols."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from connectors.sdk.given_values import read_given_values
from connectors.sdk.settings import SettingError
from visibility.models import SignInProvider, UnknownPeople
from visibility.web.author import Author


class InvalidIdentityProvider(ValueError):
    """Values are invalid. `errors` names the fields and says why."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        super().__init__(" ".join(error.sentence for error in errors))
        self.errors = tuple(errors)


class IdentityProviderConflict(ValueError):
    """Somebody changed the identity provider after it was read."""


class ChangeProvider(Protocol):
    """Stores the given values. Raises InvalidIdentityProvider and IdentityProviderConflict."""

    def __call__(
        self, values: Mapping[str, object], *, version: int | None, by: Author
    ) -> SignInProvider: ...


def check_version(row: SignInProvider, version: int | None) -> None:
    """Raise IdentityProviderConflict if the user saw another version; None skips the check."""
    if version is not None and version != row.version:
        raise IdentityProviderConflict(
            f"Single sign-on was changed meanwhile; its version is {row.version} now."
        )


def read_valid_values(
    values: Mapping[str, object], readers: Mapping[str, Callable[[Any], Any]]
) -> dict[str, Any]:
    """Read the given values. Raises InvalidIdentityProvider with all that are invalid."""
    read, errors = read_given_values(values, readers)
    if errors:
        raise InvalidIdentityProvider(errors)
    return read


def errors_of_new_people(row: SignInProvider) -> list[SettingError]:
    """A new account gets its role from a group, so that it needs one."""
    if row.unknown_people != UnknownPeople.CREATE or row.group_roles:
        return []
    sentence = "Enter the group of at least one role: new people get the role of their group."
    return [SettingError("group_roles", sentence)]


def changed_values(
    before: Mapping[str, Any], after: Mapping[str, Any], *, is_new: bool
) -> dict[str, dict[str, Any]]:
    """The detail of an audit entry; both are empty if nothing changed."""
    changed = [name for name in after if after[name] != before[name]]
    return {
        "before": {name: before[name] for name in changed if not is_new},
        "after": {name: after[name] for name in changed},
    }
