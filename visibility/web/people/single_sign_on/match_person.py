"""Which account a person of the identity provider signs in to, and with which role.

An account is linked to an issuer and a subject. The first time, a verified email address finds it,
except an administrator's, who links it in a session of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from visibility.models import SignInProvider, UnknownPeople
from visibility.web.people.account_roles import (
    is_administrator,
    is_last_administrator,
    lock_administrators,
    set_role,
)
from visibility.web.people.accounts import describe_person
from visibility.web.people.allauth_adapters import audit_account
from visibility.web.people.single_sign_on.links import find_linked_person, link_account
from visibility.web.people.single_sign_on.provider_identity import ProviderIdentity
from visibility.web.people.single_sign_on.refusals import Reason, SignInRefused
from visibility.web.permissions import ROLES_WITH_SCOPE, UserRole, data_scope, roles

# If several groups of a person have a role, the first of these counts.
ROLES_BY_PRIVILEGE = (
    UserRole.ADMIN,
    UserRole.OPERATIONS,
    UserRole.CUSTOMER_SERVICE,
    UserRole.EXECUTIVE,
    UserRole.INTEGRATOR,
)
MAX_USERNAME_LENGTH = 150


@dataclass(frozen=True, slots=True)
class MatchedPerson:
    """`user`: None if an account is created. `role`: the new one; None if it stays as it is."""

    user: User | None
    is_linked: bool
    role: UserRole | None


def role_of_groups(provider: SignInProvider, groups: Sequence[str]) -> UserRole | None:
    """The role of these groups; None if none of them has one."""
    granted = {row["role"] for row in provider.group_roles if row["group"] in groups}
    return next((role for role in ROLES_BY_PRIVILEGE if role in granted), None)


def match_person(provider: SignInProvider, identity: ProviderIdentity) -> MatchedPerson:
    """Find the account and the role, and change nothing. Raises SignInRefused."""
    role = role_of_groups(provider, identity.groups)
    linked = find_linked_person(identity)
    user = linked or _find_by_email(identity)
    if user is None:
        _check_creation(provider, identity, role)
        return MatchedPerson(None, False, role)
    if not user.is_active:
        raise SignInRefused(
            Reason.DEACTIVATED, "This account is deactivated. Ask an administrator."
        )
    if linked is None:
        _check_first_link(user, identity)
    if not provider.group_roles:
        return MatchedPerson(user, linked is not None, None)
    if role != UserRole.ADMIN and is_last_administrator(user):
        return MatchedPerson(user, linked is not None, None)
    if role is None:
        raise _no_role(provider)
    if role not in ROLES_WITH_SCOPE and data_scope(user) is not None:
        raise SignInRefused(
            Reason.ROLE_WITHOUT_SCOPE,
            "Your groups have a role that sees all orders, but your account is limited to some. "
            "Ask an administrator.",
        )
    return MatchedPerson(user, linked is not None, None if roles(user) == {role} else role)


def find_or_create_person(provider: SignInProvider, identity: ProviderIdentity) -> User:
    """Find or create the account, link it, and give it the role of its groups. Each is audited.

    Raises SignInRefused.
    """
    with transaction.atomic():
        lock_administrators()
        matched = match_person(provider, identity)
        user = matched.user or _create_person(identity)
        if not matched.is_linked:
            link_account(user, identity.issuer, identity.subject)
        before = sorted(role.value for role in roles(user))
        if matched.role is not None:
            set_role(user, matched.role)
        if matched.user is None:
            audit_account("person.created_by_provider", user, **describe_person(user))
        elif matched.role is not None:
            audit_account(
                "person.role_from_groups",
                user,
                before={"roles": before},
                after={"roles": [matched.role.value]},
                issuer=identity.issuer,
            )
    return user


def _find_by_email(identity: ProviderIdentity) -> User | None:
    if not identity.email_is_verified:
        raise SignInRefused(
            Reason.EMAIL_NOT_VERIFIED,
            "The identity provider does not confirm your email address, so no account is found.",
        )
    users = list(User.objects.filter(email__iexact=identity.email).order_by("pk")[:2])
    if len(users) > 1:
        raise SignInRefused(
            Reason.SEVERAL_ACCOUNTS,
            "Several accounts have your email address. Ask an administrator.",
        )
    return users[0] if users else None


def _check_first_link(user: User, identity: ProviderIdentity) -> None:
    if is_administrator(user):
        raise SignInRefused(
            Reason.ADMINISTRATOR_NOT_LINKED,
            "The account of an administrator is not linked by email. Sign in with your password, "
            "and link it at People, Single sign-on, Test sign-in.",
        )
    if SocialAccount.objects.filter(provider=identity.issuer, user=user).exists():
        raise SignInRefused(
            Reason.LINKED_TO_OTHER,
            "The account with your email address belongs to another person of the identity "
            "provider. Ask an administrator.",
        )


def _check_creation(
    provider: SignInProvider, identity: ProviderIdentity, role: UserRole | None
) -> None:
    if provider.unknown_people != UnknownPeople.CREATE:
        raise SignInRefused(
            Reason.UNKNOWN_PERSON,
            "There is no account with your email address. Ask an administrator to invite you.",
        )
    if role is None:
        raise _no_role(provider)
    try:
        User._meta.get_field("username").clean(_username(identity), None)
    except ValidationError:
        raise SignInRefused(
            Reason.USERNAME_TAKEN, "Your email address cannot be a username. Ask an administrator."
        ) from None
    if User.objects.filter(username__iexact=_username(identity)).exists():
        raise SignInRefused(
            Reason.USERNAME_TAKEN,
            "An account with another email address has yours as its username. Ask an "
            "administrator.",
        )


def _create_person(identity: ProviderIdentity) -> User:
    user = User(
        username=_username(identity),
        email=identity.email,
        first_name=identity.first_name,
        last_name=identity.last_name,
    )
    user.set_unusable_password()
    user.save()
    return user


def _username(identity: ProviderIdentity) -> str:
    return identity.email.lower()


def _no_role(provider: SignInProvider) -> SignInRefused:
    return SignInRefused(
        Reason.NO_ROLE,
        f"None of your groups at {provider.name} has a role here. Ask an administrator.",
    )
