"""`/mail-server`: the SMTP server of all email, for administrators, and a test message."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from connectors.sdk.settings import SettingError
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_version
from visibility.models import AuditEntry
from visibility.models.mail_server import MailSecurity
from visibility.notify.change_mail_server import (
    FIELDS,
    PASSWORD,
    InvalidMailServer,
    MailServerConflict,
    change_mail_server,
    current_mail_server,
    remove_mail_server,
    send_test_email,
)
from visibility.notify.mail import is_mail_server_in_environment
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.save_conflicts import NOT_SHOWN_NOTE, conflict_with_latest_entry
from visibility.web.permissions import Permission, require_permission, signed_in_user

URL = "/mail-server"
VERSION = "version"
SECURITY_LABELS = (
    (MailSecurity.STARTTLS, "STARTTLS (usually port 587)"),
    (MailSecurity.TLS, "TLS (usually port 465)"),
    (MailSecurity.NONE, "None (a relay in the own network, usually port 25)"),
)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ADMINISTER)
def mail_server(request: HttpRequest) -> HttpResponse:
    """`/mail-server`: the form; POST saves it, or shows it again with the errors."""
    if request.method != "POST":
        return _render_page(request)
    values = {name: request.POST.get(name, "") for name in (*FIELDS, PASSWORD)}
    try:
        saved = change_mail_server(
            values,
            version=parse_row_version(request.POST.get(VERSION, "")),
            by=signed_in_user(request),
            now=database_now(),
        )
    except InvalidMailServer as error:
        return _render_page(request, entered=values, errors=error.errors)
    except MailServerConflict:
        return _render_page(request, entered=values, is_conflict=True)
    messages.success(request, f"Mail server {saved} saved. Send a test message to check it.")
    return HttpResponseRedirect(URL)


@require_POST
@require_permission(Permission.ADMINISTER)
def test_mail_server(request: HttpRequest) -> HttpResponse:
    """`POST /mail-server/test`: send a test message, and show what the server answered."""
    to = request.POST.get("to", "").strip()
    try:
        result = send_test_email(to, by=signed_in_user(request), now=database_now())
    except InvalidMailServer as error:
        return _render_page(request, to=to, errors=error.errors)
    if result.is_accepted:
        messages.success(request, f"Test message accepted. {result.detail}")
    else:
        messages.error(request, f"The test message was not sent. {result.detail}")
    return HttpResponseRedirect(URL)


@require_POST
@require_permission(Permission.ADMINISTER)
def delete_mail_server(request: HttpRequest) -> HttpResponse:
    """`POST /mail-server/delete`: remove the server and its password."""
    if remove_mail_server(by=signed_in_user(request), now=database_now()):
        messages.success(request, "Mail server removed. No email leaves this server now.")
    return HttpResponseRedirect(URL)


def _render_page(
    request: HttpRequest,
    *,
    entered: Mapping[str, str] | None = None,
    to: str | None = None,
    errors: Sequence[SettingError] = (),
    is_conflict: bool = False,
) -> HttpResponse:
    stored = current_mail_server()
    stored_values = {name: str(getattr(stored, name)) for name in FIELDS}
    values = stored_values | dict(entered or {})
    values.pop(PASSWORD, None)
    conflict = None
    if is_conflict:
        entries = AuditEntry.objects.filter(action="mail_server.changed").select_related("user")
        conflict = conflict_with_latest_entry(
            {name.capitalize(): text for name, text in stored_values.items()},
            {name.capitalize(): text for name, text in values.items()},
            entries.order_by("-pk").first(),
            now=database_now(),
            form_id="mail-server-form",
            reload_url=URL,
            note=NOT_SHOWN_NOTE,
        )
    context: dict[str, Any] = {
        "server": stored,
        "conflict": conflict,
        "values": values,
        "has_password": bool(stored.sealed_password),
        "errors": {error.name: error.sentence for error in errors},
        "securities": SECURITY_LABELS,
        "in_environment": is_mail_server_in_environment(),
        "environment": f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}",
        "tested": displayed_time(stored.tested_at, database_now()),
        "to": signed_in_user(request).email if to is None else to,
    }
    status = 409 if is_conflict else 422 if errors else 200
    return render(request, "mail_server/page.html", context, status=status)


urlpatterns = [
    path("mail-server", mail_server),
    path("mail-server/test", test_mail_server),
    path("mail-server/delete", delete_mail_server),
]
