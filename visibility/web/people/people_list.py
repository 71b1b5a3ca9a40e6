"""The list of people: names, roles, teams, second factors and last sign-ins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from visibility.db.data_scope import DataScope
from visibility.storage.person_scopes import load_scopes
from visibility.web.permission_labels import ROLE_TITLES
from visibility.web.permissions import UserRole

PAGE_SIZE = 50
FACTOR_TITLES = {
    "totp": "Authenticator app",
    "webauthn": "Passkey",
}


class PersonState(StrEnum):
    """Whether a person can sign in."""

    ACTIVE = "active"
    INVITED = "invited"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class Person:
    """An account as administrators see it. `second_factors`: codes, each once."""

    user: User
    roles: tuple[UserRole, ...]
    teams: tuple[tuple[str, str], ...]
    second_factors: tuple[str, ...]
    scope: DataScope | None = None

    @property
    def state(self) -> PersonState:
        if not self.user.is_active:
            return PersonState.DEACTIVATED
        # In the demo everybody signs in with one click.
        has_entered = (
            settings.DEMO or self.user.last_login is not None or self.user.has_usable_password()
        )
        return PersonState.ACTIVE if has_entered else PersonState.INVITED

    @property
    def name(self) -> str:
        return self.user.get_full_name() or self.user.get_username()

    @property
    def role_titles(self) -> str:
        return ", ".join(ROLE_TITLES[role] for role in self.roles) or "No role"

    @property
    def team_titles(self) -> str:
        return ", ".join(title for _, title in self.teams)

    @property
    def team_slugs(self) -> list[str]:
        return [slug for slug, _ in self.teams]

    @property
    def channels(self) -> tuple[str, ...]:
        return self.scope.channels if self.scope else ()

    @property
    def warehouses(self) -> tuple[str, ...]:
        return self.scope.warehouses if self.scope else ()

    @property
    def customers(self) -> tuple[str, ...]:
        return self.scope.customers if self.scope else ()

    @property
    def factor_titles(self) -> str:
        return ", ".join(FACTOR_TITLES[code] for code in self.second_factors)

    @property
    def last_sign_in(self) -> datetime | None:
        return self.user.last_login


@dataclass(frozen=True, slots=True)
class PeopleFilter:
    """Which people: a part of a name, username or address, a role, and whether active.

    `lacks_factor`: only those without a second factor.
    """

    q: str = ""
    role: str = ""
    is_active: bool | None = None
    lacks_factor: bool = False


def list_people(asked: PeopleFilter, *, after: str = "", limit: int) -> list[Person]:
    """The people after this username, by username."""
    return _describe(_matching(asked).filter(username__gt=after).order_by("username")[:limit])


def count_people(asked: PeopleFilter) -> int:
    """How many people match."""
    return _matching(asked).count()


def load_person(user_id: int) -> Person | None:
    """One person."""
    return next(iter(_describe(User.objects.filter(pk=user_id))), None)


def _matching(asked: PeopleFilter) -> QuerySet[User]:
    rows = User.objects.all()
    if asked.q:
        texts = ("username", "first_name", "last_name", "email")
        for text in asked.q.split()[:5]:
            condition = Q()
            for name in texts:
                condition |= Q(**{f"{name}__icontains": text})
            rows = rows.filter(condition)
    if asked.role:
        condition = Q(pk__in=User.objects.filter(groups__name=asked.role).values("pk"))
        if asked.role == UserRole.ADMIN:
            condition |= Q(is_superuser=True)
        rows = rows.filter(condition)
    if asked.is_active is not None:
        rows = rows.filter(is_active=asked.is_active)
    if asked.lacks_factor:
        rows = rows.exclude(
            pk__in=Authenticator.objects.filter(type__in=FACTOR_TITLES).values("user_id")
        )
    return rows


def _describe(rows: QuerySet[User]) -> list[Person]:
    users = list(rows.prefetch_related("groups", "teams"))
    factors: dict[int, set[str]] = {}
    authenticators = Authenticator.objects.filter(user__in=users, type__in=FACTOR_TITLES)
    for user_id, code in authenticators.values_list("user_id", "type"):
        factors.setdefault(user_id, set()).add(code)
    scopes = load_scopes(user.pk for user in users)
    return [
        Person(
            user,
            _roles_of(user),
            _teams_of(user),
            tuple(sorted(factors.get(user.pk, ()))),
            scopes.get(user.pk),
        )
        for user in users
    ]


def _roles_of(user: User) -> tuple[UserRole, ...]:
    """The roles, also of a deactivated account, which has them again when it is reactivated."""
    names = {group.name for group in user.groups.all()}
    if user.is_superuser:
        names.add(UserRole.ADMIN)
    return tuple(role for role in ROLE_TITLES if role.value in names)


def _teams_of(user: User) -> tuple[tuple[str, str], ...]:
    pairs: Sequence[tuple[str, str]] = [(team.slug, team.title) for team in user.teams.all()]
    return tuple(sorted(pairs, key=lambda pair: pair[1]))
