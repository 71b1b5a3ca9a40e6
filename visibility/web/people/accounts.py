"""Accounts of people: invite, change, deactivate and reactivate them, and give them links.

Every change is checked, stored and audited in one transaction, for the pages and the API alike.
The last active administrator always stays one; nobody changes their own role or deactivates
themselves.
"""

from collections.abc import Sequence
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from connectors.sdk.settings import SettingError
from visibility.db.data_scope import DIMENSIONS
from visibility.models import AccountLink, AccountLinkPurpose, Team
from visibility.models.audit import append_audit_entry
from visibility.notify.account_links import create_account_link, end_account_links
from visibility.notify.change_and_test_subscriptions import cancel_notifications_of_user
from visibility.pipeline.job_functions import ask_worker_to_run_job_now
from visibility.web.author import Author
from visibility.web.people.account_roles import (
    is_last_administrator,
    lock_administrators,
    set_role,
)
from visibility.web.people.account_texts import set_texts, username_taken
from visibility.web.people.person_values import PersonValues as PersonValues
from visibility.web.people.scope_changes import (
    NO_SCOPE,
    new_scope,
    scope_errors,
    store_scope,
    stored_scope,
)
from visibility.web.people.sessions import end_sessions
from visibility.web.permissions import ROLES_WITH_SCOPE, UserRole, reload_access, roles

LAST_ADMINISTRATOR = "This is the last active administrator. Make someone else one first."
OWN_ROLE = "You cannot change your own role. Another administrator can."
OWN_ACCOUNT = "You cannot deactivate your own account. Another administrator can."


class InvalidPerson(ValueError):
    """A change of an account is not possible; each error has the name of its field."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        super().__init__(" ".join(error.sentence for error in errors))
        self.errors = tuple(errors)


class UnknownPerson(Exception):
    """There is no such person."""


def invite_person(values: PersonValues, *, by: Author) -> tuple[User, AccountLink]:
    """Create an account without password, and the link that sets one. Raises InvalidPerson."""
    with transaction.atomic():
        user = User(username=(values.username or "").strip(), is_active=True)
        user.set_unusable_password()
        errors = set_texts(user, values)
        if values.role not in set(UserRole):
            errors.append(SettingError("role", "Choose a role."))
        teams = _find_teams(values.teams or (), errors)
        scope = new_scope(values.scope, NO_SCOPE)
        errors += scope_errors(scope, NO_SCOPE, _role_after(user, values.role or ""))
        if errors:
            raise InvalidPerson(errors)
        try:
            with transaction.atomic():
                user.save()
        except IntegrityError:
            raise InvalidPerson([username_taken(user.username)]) from None
        set_role(user, UserRole(values.role or ""))
        user.teams.set(teams)
        if any(scope.values()):
            store_scope(user, scope, now=by.now)
        link = _create_link(user, AccountLinkPurpose.INVITATION, by)
        _audit("person.invited", user, by, describe_person(user))
    return user, link


def change_person(user_id: int, values: PersonValues, *, by: Author) -> User:
    """Change names, email address, role, teams and scope. Raises InvalidPerson, UnknownPerson."""
    with transaction.atomic():
        user = lock_person(user_id)
        before = describe_person(user)
        errors = set_texts(user, values)
        teams = None if values.teams is None else _find_teams(values.teams, errors)
        errors += _role_errors(user, values.role, by)
        before_scope = {name: before[name] for name in DIMENSIONS}
        scope = new_scope(values.scope, before_scope)
        errors += scope_errors(scope, before_scope, _role_after(user, values.role))
        if errors:
            raise InvalidPerson(errors)
        if user.email != before["email"]:
            end_account_links(user, by.now)  # they may have been sent to the old address
        user.save(update_fields=["first_name", "last_name", "email"])
        if values.role is not None and {UserRole(values.role)} != roles(user):
            set_role(user, UserRole(values.role))
        if scope != before_scope:
            store_scope(user, scope, now=by.now)
        if teams is not None:
            user.teams.set(teams)
            Team.objects.filter(default_owner=user).exclude(
                pk__in=[team.pk for team in teams]
            ).update(default_owner=None)
        after = describe_person(user)
        if changed := [name for name in after if after[name] != before[name]]:
            detail = {
                "before": {name: before[name] for name in changed},
                "after": {name: after[name] for name in changed},
            }
            _audit("person.changed", user, by, detail)
    return user


def deactivate_person(user_id: int, *, by: Author) -> User:
    """End all sessions and links of a person, who cannot sign in any more. Their history stays.

    Nothing more is sent to them. On reactivation their subscriptions go on with new alerts.

    Raises InvalidPerson, UnknownPerson.
    """
    with transaction.atomic():
        user = lock_person(user_id)
        if user.is_active:
            if user.pk == by.user.pk:
                raise InvalidPerson([SettingError("", OWN_ACCOUNT)])
            if is_last_administrator(user):
                raise InvalidPerson([SettingError("", LAST_ADMINISTRATOR)])
            user.is_active = False
            user.save(update_fields=["is_active"])
            end_account_links(user, by.now)
            ended = {
                "sessions_ended": end_sessions(user),
                "notifications_cancelled": cancel_notifications_of_user(user),
            }
            _audit("person.deactivated", user, by, ended)
    return user


def reactivate_person(user_id: int, *, by: Author) -> User:
    """Let a person sign in again, with their role. Raises UnknownPerson."""
    with transaction.atomic():
        user = lock_person(user_id)
        if not user.is_active:
            user.is_active = True
            user.save(update_fields=["is_active"])
            _audit("person.reactivated", user, by, describe_person(user))
    return user


def create_link_for_person(user_id: int, *, by: Author) -> tuple[User, AccountLink]:
    """Create the link that sets a first or a new password. Raises InvalidPerson, UnknownPerson."""
    with transaction.atomic():
        user = lock_person(user_id)
        if not user.is_active:
            raise InvalidPerson([SettingError("", "Reactivate the account first.")])
        purpose = (
            AccountLinkPurpose.RESET
            if user.has_usable_password()
            else AccountLinkPurpose.INVITATION
        )
        link = _create_link(user, purpose, by)
        _audit("person.link_created", user, by, {"purpose": purpose.value})
    return user, link


def remove_second_factors(user_id: int, *, by: Author) -> User:
    """Remove the second factors of a person who lost them, and end all sessions.

    Raises UnknownPerson.
    """
    with transaction.atomic():
        user = lock_person(user_id)
        rows = Authenticator.objects.filter(user=user)
        types = sorted(rows.values_list("type", flat=True))
        rows.delete()
        end_sessions(user)
        _audit("person.second_factors_removed", user, by, {"removed": types})
    return user


def end_sessions_of_person(user_id: int, *, by: Author) -> int:
    """Sign a person out everywhere; return from how many sessions. Raises UnknownPerson."""
    with transaction.atomic():
        user = lock_person(user_id)
        count = end_sessions(user)
        _audit("person.sessions_ended", user, by, {"sessions_ended": count})
    return count


def describe_person(user: User) -> dict[str, Any]:
    """What the audit log contains of an account."""
    reload_access(user)
    granted = roles(user) if user.is_active else ()
    return {
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "roles": sorted(role.value for role in granted),
        "teams": sorted(user.teams.values_list("title", flat=True)),
        **stored_scope(user),
    }


def lock_person(user_id: int) -> User:
    """Lock an account, and wait for other changes of administrators."""
    lock_administrators()
    user = User.objects.select_for_update(no_key=True).filter(pk=user_id).first()
    if user is None:
        raise UnknownPerson(user_id)
    return user


def _role_errors(user: User, role: str | None, by: Author) -> list[SettingError]:
    if role is None:
        return []
    if role not in set(UserRole):
        return [SettingError("role", "Choose a role.")]
    reload_access(user)
    if {UserRole(role)} == roles(user):
        return []
    if user.pk == by.user.pk:
        return [SettingError("role", OWN_ROLE)]
    if role != UserRole.ADMIN and is_last_administrator(user):
        return [SettingError("role", LAST_ADMINISTRATOR)]
    return []


def _role_after(user: User, role: str | None) -> UserRole | None:
    """The role that decides about a scope: the entered one, or one that cannot have any."""
    if role is not None:
        return UserRole(role) if role in set(UserRole) else None
    return next(iter(roles(user) - ROLES_WITH_SCOPE), next(iter(roles(user)), None))


def _find_teams(slugs: Sequence[str], errors: list[SettingError]) -> list[Team]:
    teams = list(Team.objects.filter(slug__in=list(slugs)))
    if len(teams) != len(set(slugs)):
        errors.append(SettingError("teams", "Choose teams from the list."))
    return teams


def _create_link(user: User, purpose: AccountLinkPurpose, by: Author) -> AccountLink:
    link = create_account_link(user, purpose, by=by.user, now=by.now, send_mail=True)
    if link.mail_due_at is not None:
        transaction.on_commit(lambda: ask_worker_to_run_job_now("send_account_mails"))
    return link


def _audit(action: str, user: User, by: Author, detail: dict[str, Any]) -> None:
    append_audit_entry(action, user=by.user, object=user.get_username(), detail=detail, now=by.now)
