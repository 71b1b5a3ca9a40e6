"""Email updates of a tracking page: ask for them, confirm and stop them. No cookie, no script.

A link in an email only shows a button: programs that open links in emails confirm nothing.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from visibility.db.database_time import database_now
from visibility.notify.mail import has_mail_server
from visibility.pipeline.job_functions import ask_worker_to_run_job_now
from visibility.screens.tracking import email_updates
from visibility.screens.tracking.email_updates import CONFIRM, STOP, InvalidAddress
from visibility.screens.tracking.orders_of_link import find_valid_link, tracking_path
from visibility.web.pages import tracking
from visibility.web.request_limit import RequestLimit

# Requests per minute.
requests_per_link = RequestLimit(5)
requests_per_address = RequestLimit(10)


@csrf_exempt
@require_POST
def ask_for_updates(request: HttpRequest, token: str) -> HttpResponse:
    """`POST /track/<token>/email`: the answer is the same, whatever is known of the address.

    The page has no cookie, so Django's check does not apply: the form has a signed token instead.
    """
    now = database_now()
    link = find_valid_link(token, now)
    if link is None or not has_mail_server():
        return tracking.not_valid(request)
    client = request.META.get("REMOTE_ADDR", "")
    if not requests_per_link.take(link.name) or not requests_per_address.take_address(client):
        return tracking.too_many()
    context: dict[str, Any] = {"back": tracking_path(link)}
    if not email_updates.is_form_token(request.POST.get("form", "")[:100], link, now):
        return tracking.render_page("email_form_expired.html", context, status=403)
    address = request.POST.get("address", "")[:400]
    try:
        email_updates.request_updates(link, address, now)
    except InvalidAddress:
        context |= {"form": email_updates.form_token(link, now), "entered": address}
        context["is_invalid"] = True
        return tracking.render_page("email_invalid.html", context, status=422, has_form=True)
    ask_worker_to_run_job_now("send_tracking_mails")
    return tracking.render_page("email_requested.html", context)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def confirm_updates(request: HttpRequest, key: str) -> HttpResponse:
    """`/track/email/confirm/<key>`: the button, and with POST the confirmation. It works once."""
    now = database_now()
    if request.method == "POST":
        confirmed = email_updates.confirm(key, now)
        if confirmed is None:
            return _link_not_valid(request)
        context = {"back": tracking_path(confirmed.link)}
        return tracking.render_page("email_confirmed.html", context)
    if email_updates.find_subscriber(key, CONFIRM, now) is None:
        return _link_not_valid(request)
    return tracking.render_page("email_confirm.html", {}, has_form=True)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def stop_updates(request: HttpRequest, key: str) -> HttpResponse:
    """`/track/email/stop/<key>`: the button, and with POST the end. Mail programs send POST."""
    now = database_now()
    if request.method == "POST":
        if not email_updates.stop(key, now):
            return _link_not_valid(request)
        return tracking.render_page("email_stopped.html", {})
    if email_updates.find_subscriber(key, STOP, now) is None:
        return _link_not_valid(request)
    return tracking.render_page("email_stop.html", {}, has_form=True)


def _link_not_valid(request: HttpRequest) -> HttpResponse:
    return tracking.not_valid(request, template="email_link_not_valid.html")


urlpatterns = [
    path("track/<str:token>/email", ask_for_updates),
    path("track/email/confirm/<str:key>", confirm_updates),
    path("track/email/stop/<str:key>", stop_updates),
]
