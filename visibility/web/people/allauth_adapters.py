"""What django-allauth asks of the product: our pages, messages, encryption and audit log."""

import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from visibility.db.database_time import database_now
from visibility.db.derived_keys import KeyPurpose
from visibility.db.encrypt_texts import decrypt_text, encrypt_text
from visibility.models.audit import append_audit_entry
from visibility.web.people.local_paths import local_path_or_empty
from visibility.web.people.second_factor import ACCEPTED_FROM_PROVIDER, may_remove

ENCRYPTION_PURPOSE = KeyPurpose.SECOND_FACTOR
# Who signed in, or confirmed their password, so recently need not do it again.
CONFIRMATION_SECONDS = 900
SECOND_FACTOR_STAGE = "allauth.mfa.stages.AuthenticateStage"
SINGLE_SIGN_ON = "socialaccount"  # allauth's name of the method
MESSAGES = {
    "mfa/messages/totp_activated.txt": "The authenticator app is set up.",
    "mfa/messages/totp_deactivated.txt": "The authenticator app is removed.",
    "mfa/messages/webauthn_added.txt": "The passkey is added.",
    "mfa/messages/webauthn_removed.txt": "The passkey is removed.",
    "mfa/messages/recovery_codes_generated.txt": "New recovery codes are created.",
}


def audit_account(action: str, user: User, by: User | None = None, **detail: Any) -> None:
    """Record what happened to the account of a user."""
    append_audit_entry(
        action, user=by or user, object=user.get_username(), detail=detail, now=database_now()
    )


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Nobody signs up by themselves; sign-ins are recorded in the audit log."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "too_many_login_attempts": "Too many wrong codes. Try again in 5 minutes; after 20 wrong "
        "codes, in one hour.",
        "rate_limited": "Too many wrong codes. Try again in 5 minutes.",
        "incorrect_password": "Incorrect password. Passwords are case-sensitive.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str | None) -> bool:
        return bool(local_path_or_empty(url or ""))

    def get_login_stages(self) -> list[str]:
        """Without our second factor if that of the identity provider counts."""
        stages: list[str] = super().get_login_stages()
        if self.request.META.get(ACCEPTED_FROM_PROVIDER):
            stages.remove(SECOND_FACTOR_STAGE)
        return stages

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        if request.META.get(ACCEPTED_FROM_PROVIDER):
            record_authentication(request, user, "mfa", type="identity_provider")
        records = get_authentication_records(request, user)
        issuers = [record["provider"] for record in records if record["method"] == SINGLE_SIGN_ON]
        audit_account("session.signed_in", user, **({"issuer": issuers[-1]} if issuers else {}))

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        messages.error(request, "This account is deactivated. Ask an administrator.")
        return HttpResponseRedirect("/signin")

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Not within 15 minutes after the sign-in or the last confirmation."""
        request = context.request
        records = get_authentication_records(request, request.user)
        latest = max((record["at"] for record in records), default=0.0)
        return time.time() - float(latest) > CONFIRMATION_SECONDS

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        """Show our own sentence for the events of second factors, and nothing for others."""
        sentence = message or MESSAGES.get(message_template or "", "")
        if sentence:
            messages.add_message(request, level, sentence)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Secrets are stored encrypted; the username names the account in an authenticator app."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "cannot_delete_authenticator": "A second factor is required. Add another one first.",
        "incorrect_code": "This code is not valid, or was used already. Enter the next one.",
    }

    def encrypt(self, text: str) -> str:
        return encrypt_text(text.encode(), purpose=ENCRYPTION_PURPOSE)

    def decrypt(self, encrypted_text: str) -> str:
        return decrypt_text(encrypted_text, purpose=ENCRYPTION_PURPOSE).decode()

    def _get_user_identifier(self, user: User) -> str:
        return user.get_username()

    def _get_site_name(self) -> str:
        return "Throughline"

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        return may_remove(authenticator)

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return f"Passkey {count + 1}"
