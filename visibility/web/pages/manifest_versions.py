"""Pages of the versions of a manifest: compare with today, roll back, look at one."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_version
from visibility.ingest.check_manifest_input import (
    InvalidManifestInput,
    ManifestConflict,
    audit_manifest,
)
from visibility.ingest.publish_manifest import roll_back
from visibility.screens.manifests import queries
from visibility.screens.manifests.compare_readings import (
    MAX_MESSAGES,
    MAX_SECONDS,
    compare_readings,
)
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.web.manifest_lookup import manifest_or_404
from visibility.web.pages.manifests import LIST_URL
from visibility.web.permissions import Permission, require_permission, signed_in_user
from visibility.web.source_lookup import source_or_404


@require_GET
@require_permission(Permission.SOURCES_EDIT)
@require_permission(Permission.MESSAGE_BODIES)
def compare_manifest(request: HttpRequest, slug: str) -> HttpResponse:
    """`/manifests/<slug>/compare?source=`: what the draft reads in the newest stored messages."""
    summary = manifest_or_404(slug)
    source, now = source_or_404(request.GET.get("source", "").replace("\0", "")), database_now()
    comparison = compare_readings(summary.manifest, source)
    detail = {"source": source.slug, "messages": comparison.examined}
    audit_manifest(
        "manifest.compared", summary.manifest, detail, by=signed_in_user(request), now=now
    )
    context = {
        "summary": summary,
        "manifest": summary.manifest,
        "source": source,
        "comparison": comparison,
        "max_messages": MAX_MESSAGES,
        "max_seconds": int(MAX_SECONDS),
        "uses_it": source.connector == slug,
    }
    return render(request, "manifests/compare.html", context)


@require_POST
@require_permission(Permission.SOURCES_EDIT)
def roll_back_manifest(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /manifests/<slug>/rollback`: make an earlier version live again."""
    summary = manifest_or_404(slug)
    try:
        version = roll_back(
            summary.manifest,
            parse_row_version(request.POST.get("version", "")) or 0,
            note=request.POST.get("note", ""),
            by=signed_in_user(request),
            now=database_now(),
        )
    except (InvalidManifestInput, ManifestConflict) as error:
        messages.error(request, f"Not rolled back. {error}")
    else:
        messages.success(
            request,
            f"Version {version.number} is live, with the text of version "
            f"{version.restored_number}.",
        )
    return HttpResponseRedirect(f"{LIST_URL}/{slug}")


@require_GET
@require_permission(Permission.SOURCES_EDIT)
def manifest_version(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """`/manifests/<slug>/versions/<number>`: its text, and how it differs from the one before."""
    summary = manifest_or_404(slug)
    version = queries.find_version(summary.manifest, number)
    if version is None:
        raise Http404(slug)
    before = queries.find_version(summary.manifest, number - 1)
    context = {
        "summary": summary,
        "manifest": summary.manifest,
        "version": version,
        "published": displayed_time(version.published_at, database_now()),
        "difference": queries.difference_of_texts(before.text, version.text) if before else [],
        "max_lines": queries.MAX_DIFFERENCE_LINES,
        "is_live": version.number == summary.live_number,
    }
    return render(request, "manifests/version.html", context)


urlpatterns = [
    path("manifests/<slug:slug>/compare", compare_manifest),
    path("manifests/<slug:slug>/rollback", roll_back_manifest),
    path("manifests/<slug:slug>/versions/<int:number>", manifest_version),
]
