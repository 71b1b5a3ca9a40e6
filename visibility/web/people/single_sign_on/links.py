"""Links of accounts to persons of an identity provider: create, find and remove them."""

from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.db import transaction

from visibility.models.audit import append_audit_entry
from visibility.web.author import Author
from visibility.web.people.account_roles import lock_administrators
from visibility.web.people.accounts import lock_person
from visibility.web.people.allauth_adapters import audit_account
from visibility.web.people.sessions import end_sessions
from visibility.web.people.single_sign_on.provider_identity import ProviderIdentity


def link_account(user: User, issuer: str, subject: str) -> None:
    """Link an account to a subject, with an audit entry."""
    SocialAccount.objects.create(user=user, provider=issuer, uid=subject, extra_data={})
    audit_account("person.linked", user, issuer=issuer, subject=subject)


def link_own_account(issuer: str, subject: str, *, by: Author) -> bool:
    """Link the account of an administrator who proved to be the subject; False if it is not free.

    The account and the subject have one link each.
    """
    with transaction.atomic():
        lock_administrators()
        rows = SocialAccount.objects.filter(provider=issuer)
        if rows.filter(user=by.user).exists() or rows.filter(uid=subject).exists():
            return False
        link_account(by.user, issuer, subject)
    return True


def is_link_possible(user: User, identity: ProviderIdentity) -> bool:
    """Whether neither the account nor the subject has a link."""
    rows = SocialAccount.objects.filter(provider=identity.issuer)
    return not (rows.filter(user=user).exists() or rows.filter(uid=identity.subject).exists())


def find_linked_person(identity: ProviderIdentity) -> User | None:
    """The account that is linked to this issuer and subject."""
    rows = SocialAccount.objects.filter(provider=identity.issuer, uid=identity.subject)
    link = rows.select_related("user").first()
    return link.user if link else None


def linked_issuers(user: User) -> list[str]:
    """The providers at which the person signs in to this account."""
    rows = SocialAccount.objects.filter(user=user).order_by("provider")
    return list(rows.values_list("provider", flat=True))


def unlink_person(user_id: int, *, by: Author) -> User:
    """Remove the links of an account, and end its sessions. Raises UnknownPerson.

    The next sign-in at the provider finds the account by its email address, as the first one.
    """
    with transaction.atomic():
        user = lock_person(user_id)
        issuers = linked_issuers(user)
        if issuers:
            SocialAccount.objects.filter(user=user).delete()
            append_audit_entry(
                "person.unlinked",
                user=by.user,
                object=user.get_username(),
                detail={"issuers": issuers, "sessions_ended": end_sessions(user)},
                now=by.now,
            )
    return user
