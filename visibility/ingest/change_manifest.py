"""Create manifests, and change their drafts and samples: checked and audited."""

import hashlib
import re
from dataclasses import replace
from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from connectors.catalog import SYSTEMS, shipped_connectors
from connectors.sdk.connector import SourceRole
from connectors.sdk.manifest.check_examples import example_body
from connectors.sdk.manifest.connector import ManifestConnector
from connectors.sdk.manifest.draft import DraftContext, draft_manifest
from connectors.sdk.manifest.folder import SUFFIX
from connectors.sdk.payload import PayloadError
from visibility.ingest.check_manifest_input import (
    MAX_TEXT_BYTES,
    InvalidManifestInput,
    ManifestConflict,
    audit_manifest,
    checked_sample,
    checked_sample_name,
    lock_manifest,
    slug_sentence,
)
from visibility.ingest.publish_manifest import live_version, load_samples
from visibility.models.manifests import Manifest, ManifestSample
from visibility.models.sources_and_messages import Source
from visibility.storage.organization import organization_time_zone

MAX_SAMPLES, MAX_MANIFESTS = 20, 500
CONNECTOR_LINE = re.compile(r"^connector:.*$", re.MULTILINE)
TITLE_LINE = re.compile(r"^title:.*$", re.MULTILINE)


def create_manifest(
    slug: str,
    *,
    sample: bytes = b"",
    sample_name: str = "",
    copy_of: str = "",
    by: User | None,
    now: datetime,
) -> Manifest:
    """Create a draft from a sample, or from another manifest. Raises InvalidManifestInput."""
    errors = {"slug": sentence} if (sentence := slug_sentence(slug)) else {}
    samples: dict[str, bytes] = {}
    text = ""
    if copy_of and sample:
        errors["sample"] = "Give either a sample or a manifest to copy."
    elif copy_of:
        try:
            text, samples = _copied_text_and_samples(copy_of, slug)
        except LookupError:
            errors["copy_of"] = "There is no manifest with this name."
    elif not sample.strip():
        errors["sample"] = "Paste a sample, or choose a file."
    else:
        try:
            name = checked_sample_name(sample_name or "sample")
            samples = {name: checked_sample(sample)}
            text = draft_manifest(sample, slug, _context_of_draft(name))
        except PayloadError as error:
            errors["sample"] = f"The sample cannot be read: {error.detail}."
        except InvalidManifestInput as error:
            errors |= error.errors
    if errors:
        raise InvalidManifestInput(**errors)
    if Manifest.objects.count() >= MAX_MANIFESTS:
        raise InvalidManifestInput(slug=f"There can be at most {MAX_MANIFESTS} manifests.")
    try:
        with transaction.atomic():
            manifest = Manifest.objects.create(
                slug=slug, text=text, created_at=now, created_by=by, changed_at=now, changed_by=by
            )
            ManifestSample.objects.bulk_create(
                ManifestSample(manifest=manifest, name=name, body=body, added_at=now, added_by=by)
                for name, body in samples.items()
            )
            detail = {"samples": sorted(samples), **({"copy_of": copy_of} if copy_of else {})}
            audit_manifest("manifest.created", manifest, detail, by=by, now=now)
    except IntegrityError:
        raise InvalidManifestInput(slug="There is a manifest with this name.") from None
    return manifest


def _context_of_draft(sample_name: str) -> DraftContext:
    """The time zone of the organization, and the order numbers of its only ERP or shop."""
    context = DraftContext(sample_name, stored_as=sample_name, zone=str(organization_time_zone()))
    for role, scheme in ((SourceRole.ERP, "sales_order"), (SourceRole.SHOP, "web_order")):
        sources = Source.objects.filter(role=role, archived_at=None)
        slugs = list(sources.values_list("slug", flat=True)[:2])
        if len(slugs) == 1:
            return replace(context, orders=f"{scheme}@{slugs[0]}")
    return context


def save_draft(
    manifest: Manifest, text: str, *, revision: int | None, by: User | None, now: datetime
) -> Manifest:
    """Store the text of the draft; it may have problems.

    `revision`: the one that was edited. Raises InvalidManifestInput and ManifestConflict.
    """
    text = text.replace("\r\n", "\n")
    if len(text.encode(errors="replace")) > MAX_TEXT_BYTES:
        raise InvalidManifestInput(text=f"At most {MAX_TEXT_BYTES // 1024} KiB.")
    if "\0" in text or not text.strip():
        raise InvalidManifestInput(text="Enter the text of the manifest.")
    with transaction.atomic():
        row = lock_manifest(manifest)
        if revision is not None and revision != row.revision:
            raise ManifestConflict("Somebody else changed the draft meanwhile.")
        if text == row.text:
            return row
        row.text, row.changed_at, row.changed_by = text, now, by
        row.revision += 1
        row.save(update_fields=["text", "revision", "changed_at", "changed_by"])
        detail = {"revision": row.revision, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        audit_manifest("manifest.draft_saved", row, detail, by=by, now=now)
    return row


def add_sample(
    manifest: Manifest, name: str, body: bytes, *, by: User | None, now: datetime
) -> ManifestSample:
    """Store a sample, or replace the one of this name. Raises InvalidManifestInput."""
    name, body = checked_sample_name(name), checked_sample(body)
    with transaction.atomic():
        row = lock_manifest(manifest)
        others = ManifestSample.objects.filter(manifest=row).exclude(name=name)
        if others.count() >= MAX_SAMPLES:
            raise InvalidManifestInput(name=f"A manifest can have {MAX_SAMPLES} samples.")
        sample, _ = ManifestSample.objects.update_or_create(
            manifest=row, name=name, defaults={"body": body, "added_at": now, "added_by": by}
        )
        audit_manifest("manifest.sample_added", row, {"sample": name}, by=by, now=now)
    return sample


def remove_sample(manifest: Manifest, name: str, *, by: User | None, now: datetime) -> bool:
    """Remove a sample; whether there was one."""
    with transaction.atomic():
        row = lock_manifest(manifest)
        count, _ = ManifestSample.objects.filter(manifest=row, name=name).delete()
        if count:
            audit_manifest("manifest.sample_removed", row, {"sample": name}, by=by, now=now)
    return bool(count)


def delete_manifest(
    manifest: Manifest, *, by: User | None, now: datetime, revision: int | None = None
) -> None:
    """Delete a draft that was never published. Raises ManifestConflict.

    `revision`: the one that was shown; another one is not deleted.
    """
    with transaction.atomic():
        row = lock_manifest(manifest)
        if revision is not None and revision != row.revision:
            raise ManifestConflict("Somebody else changed the draft meanwhile.")
        if live_version(row) is not None:
            raise ManifestConflict("A manifest that was published cannot be deleted.")
        if Source.objects.filter(connector=row.slug).exists():
            raise ManifestConflict("A source uses the name of this manifest.")
        ManifestSample.objects.filter(manifest=row).delete()
        audit_manifest("manifest.deleted", row, {}, by=by, now=now)
        row.delete()


def copyable_manifests() -> list[str]:
    """The slugs of the manifests from which a draft can start: shipped, then those of people."""
    published = Manifest.objects.order_by("slug").values_list("slug", flat=True)
    return [*sorted(path.stem for path in SYSTEMS.glob(f"*{SUFFIX}")), *published]


def _copied_text_and_samples(copy_of: str, slug: str) -> tuple[str, dict[str, bytes]]:
    """Raises LookupError if there is no such manifest."""
    own = Manifest.objects.filter(slug=copy_of).first()
    if own is not None:
        text, samples = own.text, load_samples(own)
    else:
        kind = shipped_connectors()[copy_of]
        if not issubclass(kind, ManifestConnector):
            raise LookupError(copy_of)
        text = kind.manifest_path.read_text(encoding="utf-8")
        files = [example for example in kind.manifest.examples if example.file]
        samples = {example.file: example_body(kind, example) for example in files}
    title = slug.replace("_", " ").capitalize()
    text = CONNECTOR_LINE.sub(f"connector: {slug}", text, count=1)
    return TITLE_LINE.sub(f"title: {title}", text, count=1), samples
