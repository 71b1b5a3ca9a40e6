"""Pages of manifests: the list, a new one from a sample, and the editor with its check."""

import json
import re
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_version
from visibility.ingest import change_manifest
from visibility.ingest.check_manifest import ManifestCheck, PayloadReading, check_manifest
from visibility.ingest.check_manifest_input import (
    MAX_SAMPLE_BYTES,
    InvalidManifestInput,
    ManifestConflict,
)
from visibility.ingest.publish_manifest import CannotBePublished, load_samples, publish_draft
from visibility.models.manifests import MAX_NOTE_LENGTH, MAX_SAMPLE_NAME_LENGTH, Manifest
from visibility.screens.manifests import queries
from visibility.screens.manifests.queries import ManifestSummary
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.save_conflicts import SaveConflict, build_save_conflict
from visibility.web.manifest_lookup import manifest_or_404
from visibility.web.permissions import Permission, require_permission, signed_in_user

LIST_URL = "/manifests"
TEXT_LABEL = "Manifest"
UNUSUAL_CHARACTERS = re.compile(r"[^A-Za-z0-9_. -]")


@require_GET
@require_permission(Permission.SOURCES_EDIT)
def manifest_list(request: HttpRequest) -> HttpResponse:
    """`/manifests`: the manifests of people, with the live version of each."""
    after = request.GET.get("after", "")[:40].replace("\0", "")
    rows = queries.list_manifests(after=after, limit=queries.PAGE_SIZE + 1)
    shown, now = rows[: queries.PAGE_SIZE], database_now()
    context = {
        "manifests": [(row, displayed_time(row.manifest.changed_at, now)) for row in shown],
        "next": shown[-1].manifest.slug if len(rows) > len(shown) else "",
        "is_first": not after,
    }
    return render(request, "manifests/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.SOURCES_EDIT)
def new_manifest(request: HttpRequest) -> HttpResponse:
    """`/manifests/new`: a sample or a manifest to start from; POST creates the draft."""
    if request.method != "POST":
        return _render_new(request, {"copy_of": request.GET.get("copy_of", "")[:60]})
    entered = {name: request.POST.get(name, "") for name in ("slug", "sample", "copy_of")}
    name, sample = read_sample(request)
    try:
        created = change_manifest.create_manifest(
            entered["slug"].strip(),
            sample=sample,
            sample_name=name,
            copy_of=entered["copy_of"],
            by=signed_in_user(request),
            now=database_now(),
        )
    except InvalidManifestInput as error:
        return _render_new(request, entered, error.errors)
    messages.success(request, "Draft created. Correct the marked lines, then check it.")
    return HttpResponseRedirect(f"{LIST_URL}/{created.slug}")


@require_http_methods(["GET", "HEAD"])
@require_permission(Permission.SOURCES_EDIT)
def manifest_editor(request: HttpRequest, slug: str) -> HttpResponse:
    """`/manifests/<slug>`: the text, its problems, and the events of samples and examples."""
    return render_editor(request, manifest_or_404(slug))


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.SOURCES_EDIT)
def save_manifest(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /manifests/<slug>/save`: store the draft; `act=publish` publishes it."""
    summary = manifest_or_404(slug)
    if request.method != "POST":
        return HttpResponseRedirect(f"{LIST_URL}/{slug}")
    text = request.POST.get("text", "").replace("\r\n", "\n")
    try:
        saved = change_manifest.save_draft(
            summary.manifest,
            text,
            revision=parse_row_version(request.POST.get("revision", "")),
            by=signed_in_user(request),
            now=database_now(),
        )
    except InvalidManifestInput as error:
        # With the revision that was edited, so that a change in between is noticed later.
        revision = request.POST.get("revision", "")[:20]
        return render_editor(request, summary, text=text, errors=error.errors, revision=revision)
    except ManifestConflict:
        summary = manifest_or_404(slug)
        return render_editor(
            request, summary, text=text, conflict=_save_conflict(summary.manifest, text)
        )
    if request.POST.get("act") == "publish":
        _publish(request, saved)
    return HttpResponseRedirect(f"{LIST_URL}/{slug}#result")


def _publish(request: HttpRequest, manifest: Manifest) -> None:
    try:
        version = publish_draft(
            manifest,
            revision=manifest.revision,
            note=request.POST.get("note", ""),
            by=signed_in_user(request),
            now=database_now(),
        )
    except (CannotBePublished, InvalidManifestInput, ManifestConflict) as error:
        messages.error(request, f"Not published. {error}")
    else:
        messages.success(
            request, f"Version {version.number} is live: all processes use it within seconds."
        )


@require_POST
@require_permission(Permission.SOURCES_EDIT)
def add_sample(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /manifests/<slug>/samples`: store a sample."""
    summary = manifest_or_404(slug)
    file_name, sample = read_sample(request)
    name = request.POST.get("name", "").strip() or file_name
    try:
        change_manifest.add_sample(
            summary.manifest, name, sample, by=signed_in_user(request), now=database_now()
        )
    except InvalidManifestInput as error:
        entered = {"name": name, "sample": request.POST.get("sample", "")}
        errors = {f"sample_{field}": sentence for field, sentence in error.errors.items()}
        return render_editor(request, summary, errors=errors, entered=entered)
    except ManifestConflict as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(f"{LIST_URL}/{slug}#result")


@require_POST
@require_permission(Permission.SOURCES_EDIT)
def remove_sample(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /manifests/<slug>/samples/remove`."""
    summary = manifest_or_404(slug)
    name = request.POST.get("name", "")
    try:
        change_manifest.remove_sample(
            summary.manifest, name, by=signed_in_user(request), now=database_now()
        )
    except ManifestConflict as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(f"{LIST_URL}/{slug}#result")


@require_POST
@require_permission(Permission.SOURCES_EDIT)
def delete_manifest(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /manifests/<slug>/delete`: delete a draft that was never published."""
    summary = manifest_or_404(slug)
    try:
        change_manifest.delete_manifest(
            summary.manifest,
            revision=parse_row_version(request.POST.get("revision", "")),
            by=signed_in_user(request),
            now=database_now(),
        )
    except ManifestConflict as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(f"{LIST_URL}/{slug}")
    messages.success(request, f"The draft {slug} was deleted.")
    return HttpResponseRedirect(LIST_URL)


def read_sample(request: HttpRequest) -> tuple[str, bytes]:
    """The name and the bytes of an uploaded file, or of the text in its place."""
    file = request.FILES.get("file")
    if file is not None:
        name = UNUSUAL_CHARACTERS.sub("_", str(file.name or "sample"))[-MAX_SAMPLE_NAME_LENGTH:]
        return name.lstrip(". -"), file.read(MAX_SAMPLE_BYTES + 1)
    return "", request.POST.get("sample", "").replace("\r\n", "\n").encode(errors="replace")


def render_editor(
    request: HttpRequest,
    summary: ManifestSummary,
    *,
    text: str | None = None,
    errors: Mapping[str, str] | None = None,
    entered: Mapping[str, str] | None = None,
    conflict: SaveConflict | None = None,
    revision: str = "",
) -> HttpResponse:
    """The editor with the stored draft, or with a text that could not be stored."""
    manifest, now = summary.manifest, database_now()
    samples = load_samples(manifest)
    check = check_manifest(manifest.slug, manifest.text, samples, now=now)
    versions = queries.list_versions(
        manifest,
        before=parse_row_version(request.GET.get("before", "")),
        limit=queries.HISTORY_SIZE + 1,
    )
    shown = versions[: queries.HISTORY_SIZE]
    context = {
        "summary": summary,
        "manifest": manifest,
        "revision": revision or manifest.revision,
        "text": manifest.text if text is None else text,
        "errors": errors or {},
        "entered": entered or {},
        "conflict": conflict,
        "check": check,
        "readings": reading_context(check),
        "samples": [(name, len(body)) for name, body in samples.items()],
        "changed": displayed_time(manifest.changed_at, now),
        "versions": [(version, displayed_time(version.published_at, now)) for version in shown],
        "older": shown[-1].number if len(versions) > len(shown) else 0,
        "sources": queries.sources_to_compare(manifest.slug),
        "max_note": MAX_NOTE_LENGTH,
    }
    status = 409 if conflict else 422 if errors else 200
    return render(request, "manifests/editor.html", context, status=status)


def reading_context(check: ManifestCheck) -> list[tuple[PayloadReading, list[dict[str, Any]]]]:
    """Each reading with its events for the page."""
    return [(reading, [_event_context(e) for e in reading.events]) for reading in check.readings]


def _event_context(event: Mapping[str, Any]) -> dict[str, Any]:
    numbers = [
        (ref["kind"], ", ".join(_number_text(number) for number in ref["identifiers"]))
        for ref in event["objects"]
    ]
    lines = [
        f"{line['line_id']} {line['sku']}: "
        + ", ".join(f"{text} {line['unit']} {name}" for name, text in line["quantities"].items())
        for line in event["lines"]
    ]
    attributes = [(name, text) for name, text in event["attributes"].items() if text]
    return {
        "type": event["type"],
        "key": event["key"],
        "at": event["occurred_at"] or "",
        "numbers": numbers,
        "lines": lines,
        "attributes": attributes,
        "json": json.dumps(event, indent=2, ensure_ascii=False),
    }


def _number_text(number: Mapping[str, Any]) -> str:
    issuer = f"@{number['issuer']}" if number["issuer"] else ""
    return f"{number['value']} ({number['scheme']}{issuer})"


def _save_conflict(manifest: Manifest, text: str) -> SaveConflict:
    return build_save_conflict(
        {TEXT_LABEL: manifest.text},
        {TEXT_LABEL: text},
        by=manifest.changed_by,
        at=manifest.changed_at,
        now=database_now(),
        form_id="manifest-form",
        reload_url=f"{LIST_URL}/{manifest.slug}",
    )


def _render_new(
    request: HttpRequest, entered: Mapping[str, str], errors: Mapping[str, str] | None = None
) -> HttpResponse:
    context = {
        "entered": entered,
        "errors": errors or {},
        "copyable": change_manifest.copyable_manifests(),
        "max_kib": MAX_SAMPLE_BYTES // 1024,
    }
    return render(request, "manifests/new.html", context, status=422 if errors else 200)


urlpatterns = [
    path("manifests", manifest_list),
    path("manifests/new", new_manifest),
    path("manifests/<slug:slug>", manifest_editor),
    path("manifests/<slug:slug>/save", save_manifest),
    path("manifests/<slug:slug>/samples", add_sample),
    path("manifests/<slug:slug>/samples/remove", remove_sample),
    path("manifests/<slug:slug>/delete", delete_manifest),
]
