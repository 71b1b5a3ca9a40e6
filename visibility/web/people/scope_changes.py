"""Check and store the scope of a person: the channels, warehouses and customers of their orders."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models.functions import Lower

from connectors.sdk.settings import SettingError
from visibility.db.data_scope import DIMENSIONS
from visibility.models import BackgroundExport, Customer, IdempotencyKey, Location, Order
from visibility.models.people import PersonScope
from visibility.web.permissions import ROLES_WITH_SCOPE, UserRole, reload_access

MAX_VALUES = 200
ROLE_HAS_NO_SCOPE = (
    "Only customer service, executives and operations can be limited. Remove the channels, "
    "warehouses and customers, or choose another role."
)
NO_SCOPE: Mapping[str, Sequence[str]] = dict.fromkeys(DIMENSIONS, ())


def stored_scope(user: User) -> dict[str, list[str]]:
    """The values of each dimension. One statement."""
    row = PersonScope.objects.filter(user=user).first()
    return {name: list(getattr(row, name)) if row else [] for name in DIMENSIONS}


def new_scope(
    entered: Mapping[str, Sequence[str] | None], stored: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """The entered values, each once and in order; None stays as it is stored."""
    chosen = {
        name: stored[name] if entered.get(name) is None else entered[name] for name in DIMENSIONS
    }
    return {
        name: sorted(
            _as_spelled_by_orders(
                name, {value.strip() for value in values or () if value.strip()}, stored[name]
            )
        )
        for name, values in chosen.items()
    }


def scope_errors(
    scope: Mapping[str, Sequence[str]], stored: Mapping[str, Sequence[str]], role: UserRole | None
) -> list[SettingError]:
    """Why a person with this role cannot have this scope. Values that are stored are known."""
    limited = [name for name, values in scope.items() if values]
    if limited and role is not None and role not in ROLES_WITH_SCOPE:
        return [SettingError(limited[0], ROLE_HAS_NO_SCOPE)]
    errors = []
    for name, values in scope.items():
        if len(values) > MAX_VALUES:
            errors.append(SettingError(name, f"Enter at most {MAX_VALUES} {name}."))
        elif unknown := _unknown_values(name, set(values) - set(stored[name])):
            sentence = f"There is no {name.removesuffix('s')} {unknown[0][:100]}."
            errors.append(SettingError(name, sentence))
    return errors


def store_scope(user: User, scope: Mapping[str, Sequence[str]], *, now: datetime) -> None:
    """Store a scope that differs from the stored one.

    Files and responses that were written for the person before may contain orders outside it, so
    they are deleted.
    """
    if any(scope.values()):
        values = {name: list(scope[name]) for name in DIMENSIONS}
        PersonScope.objects.update_or_create(user=user, defaults={**values, "changed_at": now})
    else:
        PersonScope.objects.filter(user=user).delete()
    BackgroundExport.objects.filter(owner=user).delete()
    IdempotencyKey.objects.filter(user=user).delete()
    reload_access(user)


def _as_spelled_by_orders(name: str, values: set[str], stored: Sequence[str]) -> set[str]:
    """Replace unknown values by values of orders that differ only in upper and lower case."""
    unknown = _unknown_values(name, values - set(stored))
    if not unknown:
        return values
    column = DIMENSIONS[name]
    spellings = (
        Order.objects.annotate(lower=Lower(column))
        .filter(lower__in={value.lower() for value in unknown})
        .values_list("lower", column)
        .distinct()
        .order_by(f"-{column}")
    )
    by_lower: dict[str, str] = dict(spellings)
    known = values - set(unknown)
    return known | {by_lower.get(value.lower(), value) for value in unknown}


def _unknown_values(name: str, values: set[str]) -> list[str]:
    """The values that no order has, and no master data."""
    if not values:
        return []
    column = DIMENSIONS[name]
    known = set(
        Order.objects.filter(**{f"{column}__in": values}).values_list(column, flat=True).distinct()
    )
    if name == "warehouses":
        known |= set(Location.objects.filter(code__in=values).values_list("code", flat=True))
    if name == "customers":
        known |= set(Customer.objects.filter(number__in=values).values_list("number", flat=True))
    return sorted(values - known)
