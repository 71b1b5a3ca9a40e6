"""Publish drafts of manifests and roll back: every version is stored, the highest one is live."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from connectors.sdk.manifest.problems import InvalidManifest
from visibility.ingest.check_manifest import ManifestCheck, check_manifest
from visibility.ingest.check_manifest_input import (
    InvalidManifestInput,
    ManifestConflict,
    audit_manifest,
    lock_manifest,
    name_conflict_sentence,
)
from visibility.models.manifests import (
    MAX_NOTE_LENGTH,
    Manifest,
    ManifestSample,
    ManifestVersion,
)
from visibility.storage.published_manifests import (
    connector_of_text,
    reload_published_manifests,
)


class CannotBePublished(ValueError):
    """The draft has problems, which `check` lists."""

    def __init__(self, check: ManifestCheck) -> None:
        super().__init__("The draft has problems. Correct them before you publish it.")
        self.check = check


def publish_draft(
    manifest: Manifest, *, revision: int | None, note: str, by: User | None, now: datetime
) -> ManifestVersion:
    """Make the draft the live version, in all processes.

    Raises CannotBePublished, ManifestConflict and InvalidManifestInput.
    """
    with transaction.atomic():
        row = lock_manifest(manifest)
        if revision is not None and revision != row.revision:
            raise ManifestConflict("Somebody else changed the draft meanwhile. Check it again.")
        if sentence := name_conflict_sentence(row.slug):
            raise ManifestConflict(sentence)
        check = check_manifest(row.slug, row.text, load_samples(row), now=now)
        if not check.is_valid:
            raise CannotBePublished(check)
        live = live_version(row)
        if live is not None and live.text == row.text:
            raise ManifestConflict(f"The draft equals version {live.number}, which is live.")
        version = _add_version(row, row.text, live, note=note, by=by, now=now)
        audit_manifest(
            "manifest.published",
            row,
            {"version": version.number, "note": version.note},
            by=by,
            now=now,
        )
    reload_published_manifests()
    return version


def roll_back(
    manifest: Manifest, number: int, *, note: str, by: User | None, now: datetime
) -> ManifestVersion:
    """Make an earlier version live again, as a new version. The draft stays.

    Raises CannotBePublished, ManifestConflict and InvalidManifestInput.
    """
    with transaction.atomic():
        row = lock_manifest(manifest)
        live = live_version(row)
        earlier = ManifestVersion.objects.filter(manifest=row, number=number).first()
        if earlier is None or live is None:
            raise InvalidManifestInput(version="There is no version with this number.")
        if earlier.text == live.text:
            raise ManifestConflict(f"Version {number} equals version {live.number}, which is live.")
        if sentence := name_conflict_sentence(row.slug):
            raise ManifestConflict(sentence)
        try:
            connector_of_text(row.slug, earlier.text)
        except InvalidManifest as error:
            raise ManifestConflict(f"Version {number} has problems: {error}") from None
        version = _add_version(
            row, earlier.text, live, note=note, by=by, now=now, restored_number=number
        )
        detail = {"version": version.number, "restored": number, "note": version.note}
        audit_manifest("manifest.rolled_back", row, detail, by=by, now=now)
    reload_published_manifests()
    return version


def live_version(manifest: Manifest) -> ManifestVersion | None:
    """The version that is live, or None."""
    return ManifestVersion.objects.filter(manifest=manifest).order_by("-number").first()


def load_samples(manifest: Manifest) -> dict[str, bytes]:
    """The samples by name."""
    rows = ManifestSample.objects.filter(manifest=manifest).order_by("name")
    return {sample.name: bytes(sample.body) for sample in rows}


def _add_version(
    manifest: Manifest,
    text: str,
    live: ManifestVersion | None,
    *,
    note: str,
    by: User | None,
    now: datetime,
    restored_number: int | None = None,
) -> ManifestVersion:
    note = " ".join(note.replace("\0", "").split())
    if len(note) > MAX_NOTE_LENGTH:
        raise InvalidManifestInput(note=f"At most {MAX_NOTE_LENGTH} characters.")
    return ManifestVersion.objects.create(
        manifest=manifest,
        number=live.number + 1 if live else 1,
        text=text,
        note=note,
        restored_number=restored_number,
        published_at=now,
        published_by=by,
    )
