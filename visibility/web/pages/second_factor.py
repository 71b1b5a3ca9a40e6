"""Pages of second factors: django-allauth's views with our paths, templates and audit entries."""

from typing import Any

from allauth.account.views import ReauthenticateView
from allauth.mfa.base.views import AuthenticateView, IndexView
from allauth.mfa.base.views import ReauthenticateView as ReauthenticateWithCodeView
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.views import (
    AddWebAuthnView,
    LoginWebAuthnView,
    ReauthenticateWebAuthnView,
    RemoveWebAuthnView,
)
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.views.generic import RedirectView

from visibility.web.people import second_factor
from visibility.web.people.allauth_adapters import SecondFactorAdapter, audit_account

INDEX_URL = "/account/second-factor"


class SecondFactorPage(IndexView):  # type: ignore[misc]  # allauth has no types
    """`/account/second-factor`: what is set up, and what can be added."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        rows = Authenticator.objects.filter(user_id=user.pk).order_by("pk")
        codes = rows.filter(type=Authenticator.Type.RECOVERY_CODES).first()
        return {
            "app": rows.filter(type=Authenticator.Type.TOTP).first(),
            "passkeys": list(rows.filter(type=Authenticator.Type.WEBAUTHN)),
            "has_codes": codes is not None,
            "unused_codes": len(codes.wrap().get_unused_codes()) if codes else 0,
            "is_required": second_factor.is_required(),
            "has_password": user.has_usable_password(),
        }


class SetUpAppView(ActivateTOTPView):  # type: ignore[misc]  # allauth has no types
    """`/account/second-factor/app`: scan the code, and enter the number that the app shows."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        second_factor.record_set_up(self.request, self.request.user)
        audit_account("second_factor.added", self.request.user, type="totp")
        return response


class RemoveAppView(DeactivateTOTPView):  # type: ignore[misc]  # allauth has no types
    """`/account/second-factor/app/remove`."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        audit_account("second_factor.removed", self.request.user, type="totp")
        return response


class AddPasskeyView(AddWebAuthnView):  # type: ignore[misc]  # allauth has no types
    """`/account/second-factor/passkeys/add`."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        second_factor.record_set_up(self.request, self.request.user)
        name = str(form.cleaned_data["name"])[:80]
        audit_account("second_factor.added", self.request.user, type="webauthn", name=name)
        return response


class RemovePasskeyView(RemoveWebAuthnView):  # type: ignore[misc]  # allauth has no types
    """`/account/second-factor/passkeys/<id>/remove`; the last required one stays."""

    def form_valid(self, form: Any) -> HttpResponse:
        authenticator = self.get_object()
        if not second_factor.may_remove(authenticator):
            sentence = SecondFactorAdapter.error_messages["cannot_delete_authenticator"]
            messages.error(self.request, sentence)
            return HttpResponseRedirect(INDEX_URL)
        name = str(authenticator.wrap().name)[:80]
        response: HttpResponse = super().form_valid(form)
        audit_account("second_factor.removed", self.request.user, type="webauthn", name=name)
        return response


class NewRecoveryCodesView(GenerateRecoveryCodesView):  # type: ignore[misc]  # allauth has no types
    """`/account/second-factor/recovery-codes/new`: the codes before are no longer valid."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        audit_account("second_factor.recovery_codes_created", self.request.user)
        return response


class CodePage(AuthenticateView):  # type: ignore[misc]  # allauth has no types
    """`/signin/code`: the second step of the sign-in."""

    def form_invalid(self, form: Any) -> HttpResponse:
        audit_account("session.second_factor_refused", self.stage.login.user)
        return super().form_invalid(form)  # type: ignore[no-any-return]  # allauth has no types


def cancel_sign_in(request: HttpRequest) -> HttpResponse:
    """`/signin/cancel`: begin the sign-in again, for example as somebody else."""
    if not request.user.is_authenticated:
        request.session.flush()
    return HttpResponseRedirect("/signin")


urlpatterns = [
    path("signin/code", CodePage.as_view(), name="mfa_authenticate"),
    path("signin/cancel", cancel_sign_in),
    path("signin/passkey", LoginWebAuthnView.as_view(), name="mfa_login_webauthn"),
    path("account/confirm", ReauthenticateView.as_view(), name="account_reauthenticate"),
    path("account/confirm/code", ReauthenticateWithCodeView.as_view(), name="mfa_reauthenticate"),
    path(
        "account/confirm/passkey",
        ReauthenticateWebAuthnView.as_view(),
        name="mfa_reauthenticate_webauthn",
    ),
    path("account/second-factor", SecondFactorPage.as_view(), name="mfa_index"),
    path("account/second-factor/app", SetUpAppView.as_view(), name="mfa_activate_totp"),
    path("account/second-factor/app/remove", RemoveAppView.as_view(), name="mfa_deactivate_totp"),
    path(
        "account/second-factor/passkeys",
        RedirectView.as_view(url=INDEX_URL),
        name="mfa_list_webauthn",
    ),
    path("account/second-factor/passkeys/add", AddPasskeyView.as_view(), name="mfa_add_webauthn"),
    path(
        "account/second-factor/passkeys/<int:pk>/remove",
        RemovePasskeyView.as_view(),
        name="mfa_remove_webauthn",
    ),
    path(
        "account/second-factor/recovery-codes",
        ViewRecoveryCodesView.as_view(),
        name="mfa_view_recovery_codes",
    ),
    path(
        "account/second-factor/recovery-codes/new",
        NewRecoveryCodesView.as_view(),
        name="mfa_generate_recovery_codes",
    ),
]
