"""Changes of a source besides its settings: a new secret, archive and restore."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from visibility.db.database_time import database_now
from visibility.formatting import count_with_noun
from visibility.ingest.add_source_and_rotate_secret import InvalidSource
from visibility.ingest.change_source import archive_source, restore_source
from visibility.ingest.poll_now import CannotPollNow, request_poll
from visibility.ingest.rotate_secret_as_person import rotate_secret_as_person
from visibility.pipeline.job_functions import ask_worker_to_run_job_now
from visibility.screens.sources.connector_catalog import find_connector
from visibility.web.permissions import Permission, require_permission, signed_in_user
from visibility.web.source_lookup import source_or_404

DEFAULT_HOURS = "24"


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.SOURCES_EDIT)
def rotate_secret_view(request: HttpRequest, slug: str) -> HttpResponse:
    """`/sources/<slug>/rotate`: the form; POST creates a new secret and shows it once."""
    source = source_or_404(slug)
    context: dict[str, Any] = {
        "source": source,
        "connector": find_connector(source.connector),
        "hours": DEFAULT_HOURS,
        "errors": {},
    }
    status = 200
    if request.method == "POST":
        hours, entered = request.POST.get("hours", ""), request.POST.get("secret", "").strip()
        try:
            secret = rotate_secret_as_person(
                source,
                secret=entered,
                hours=hours,
                now=database_now(),
                user=signed_in_user(request),
            )
        except InvalidSource as error:
            context |= {"hours": hours, "entered": entered, "errors": error.sentence_by_name}
            status = 422
        else:
            url_query = source.build_connector().webhook_url_query(secret)
            context |= {
                "secret": secret,
                "url": f"/hooks/{slug}{url_query}" if url_query else "",
                "overlap": count_with_noun(int(hours), "hour"),
                "is_immediate": int(hours) == 0,
            }
    response = render(request, "sources/rotate.html", context, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
@require_permission(Permission.SOURCES_EDIT)
def archive_view(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /sources/<slug>/archive`."""
    return _change_and_redirect(
        request, slug, archive_source, "is archived. It receives nothing; its history stays."
    )


@require_POST
@require_permission(Permission.SOURCES_EDIT)
def restore_view(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /sources/<slug>/restore`."""
    return _change_and_redirect(
        request, slug, restore_source, "is restored. It is disabled until you enable it."
    )


@require_POST
@require_permission(Permission.SOURCES_EDIT)
def poll_view(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /sources/<slug>/poll`."""
    source = source_or_404(slug)
    try:
        request_poll(source, now=database_now(), user=signed_in_user(request))
    except CannotPollNow as error:
        messages.error(request, str(error))
    else:
        ask_worker_to_run_job_now("poll")
        messages.success(request, f"{source.title} is polled within seconds.")
    return HttpResponseRedirect(f"/sources/{source.slug}?tab=jobs")


def _change_and_redirect(
    request: HttpRequest, slug: str, change: Callable[..., bool], effect: str
) -> HttpResponse:
    source = source_or_404(slug)
    user: User = signed_in_user(request)
    if change(source, now=database_now(), user=user):
        messages.success(request, f"{source.title} {effect}")
    return HttpResponseRedirect(f"/sources/{source.slug}?tab=settings")


urlpatterns = [
    path("sources/<slug:slug>/rotate", rotate_secret_view, name="source-rotate"),
    path("sources/<slug:slug>/poll", poll_view, name="source-poll"),
    path("sources/<slug:slug>/archive", archive_view, name="source-archive"),
    path("sources/<slug:slug>/restore", restore_view, name="source-restore"),
]
