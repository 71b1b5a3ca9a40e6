"""What is made with a secret key, and what a new one needs. Each KeyPurpose is in one group.

STORED_VALUES are renewed by `manage.py replace_secret_key`. Addresses with a keyed hash are not
stored: those that were given out stay valid only while their key is a fallback.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from visibility.db.derived_keys import KeyPurpose
from visibility.models import (
    AccountLink,
    ApiToken,
    AuditHead,
    IdentityProvider,
    MailServer,
    SamlSignIn,
    ScreenLink,
    SetupLink,
    Source,
    Subscription,
    TrackingLink,
    TrackingSubscriber,
)
from visibility.operations.key_replacement import examine_rows
from visibility.operations.key_replacement.stored_values import StoredValues, encrypted_column

STORED_VALUES: dict[KeyPurpose | None, StoredValues] = {
    KeyPurpose.SOURCE_SECRETS: encrypted_column(
        "Secrets of sources", Source, "sealed_secrets", KeyPurpose.SOURCE_SECRETS
    ),
    KeyPurpose.SUBSCRIPTION_SECRETS: encrypted_column(
        "Secrets of subscriptions", Subscription, "sealed_secrets", KeyPurpose.SUBSCRIPTION_SECRETS
    ),
    KeyPurpose.MAIL_SERVER_PASSWORD: encrypted_column(
        "Password of the mail server",
        MailServer,
        "sealed_password",
        KeyPurpose.MAIL_SERVER_PASSWORD,
    ),
    KeyPurpose.IDENTITY_PROVIDER: encrypted_column(
        "Client secret of the identity provider",
        IdentityProvider,
        "sealed_client_secret",
        KeyPurpose.IDENTITY_PROVIDER,
    ),
    KeyPurpose.SAML_SIGN_IN: encrypted_column(
        "SAML sign-ins in progress", SamlSignIn, "sealed_result", KeyPurpose.SAML_SIGN_IN
    ),
    KeyPurpose.SECOND_FACTOR: StoredValues(
        "Second factors", Authenticator, "data", examine_rows.examine_second_factor
    ),
    KeyPurpose.API_TOKEN: StoredValues(
        "API tokens",
        ApiToken,
        "digest",
        examine_rows.examine_api_token,
        Q(revoked_at=None, expires_at__gt=Now()),
    ),
    KeyPurpose.AUDIT_HEAD: StoredValues(
        "End of the audit log", AuditHead, "seal", examine_rows.examine_audit_head
    ),
    # Django signs it, without a purpose of ours.
    None: StoredValues(
        "Sessions",
        Session,
        "session_data",
        examine_rows.examine_session,
        Q(expire_date__gt=Now()),
    ),
}


@dataclass(frozen=True, slots=True)
class GivenAddresses:
    """Addresses with a keyed hash: `valid(now)` has the rows whose address works now."""

    title: str
    purposes: tuple[KeyPurpose, ...]
    created_at: str
    valid: Callable[[datetime], QuerySet[Any]]


def _unrevoked(now: datetime) -> Q:
    return Q(revoked_at=None, expires_at__gt=now)


GIVEN_ADDRESSES = (
    GivenAddresses(
        "Links that set a password",
        (KeyPurpose.ACCOUNT_LINK,),
        "created_at",
        lambda now: AccountLink.objects.filter(ended_at=None, expires_at__gt=now),
    ),
    GivenAddresses(
        "Set-up link",
        (KeyPurpose.SETUP_LINK,),
        "created_at",
        lambda _now: SetupLink.objects.all(),
    ),
    GivenAddresses(
        "Screen links",
        (KeyPurpose.SCREEN_LINK,),
        "created_at",
        lambda now: ScreenLink.objects.filter(_unrevoked(now)),
    ),
    GivenAddresses(
        "Tracking links",
        (KeyPurpose.TRACKING_LINK,),
        "created_at",
        lambda now: TrackingLink.objects.filter(_unrevoked(now)),
    ),
    GivenAddresses(
        "Links in emails of tracking pages",
        (
            KeyPurpose.TRACKING_EMAIL_CONFIRMATION,
            KeyPurpose.TRACKING_EMAIL_FORM,
            KeyPurpose.TRACKING_EMAIL_STOP,
        ),
        "requested_at",
        lambda now: TrackingSubscriber.objects.filter(
            link__revoked_at=None, link__expires_at__gt=now
        ),
    ),
)
# Renewed at the next sign-in, and forgotten after at most 30 days; a new key needs nothing.
RENEWED_AT_USE = frozenset({KeyPurpose.SIGN_IN_THROTTLE})
# It names SECRET_KEY itself.
OF_NEWEST_KEY_ONLY = frozenset({KeyPurpose.FINGERPRINT})
