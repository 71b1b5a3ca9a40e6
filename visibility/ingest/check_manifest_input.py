"""What is entered about manifests: checks of names and samples, and the errors of changes."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from connectors.catalog import own_manifest_folder, shipped_connectors
from connectors.sdk.manifest.folder import SUFFIX
from visibility.models.audit import append_audit_entry
from visibility.models.manifests import MAX_SAMPLE_NAME_LENGTH, MAX_SLUG_LENGTH, Manifest

MAX_TEXT_BYTES, MAX_SAMPLE_BYTES = 131_072, 262_144
SLUG = re.compile(rf"[a-z][a-z0-9_]{{1,{MAX_SLUG_LENGTH - 1}}}")
# Names of other pages below /manifests.
RESERVED_SLUGS = frozenset({"new"})
SAMPLE_NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_. -]{{0,{MAX_SAMPLE_NAME_LENGTH - 1}}}")


class InvalidManifestInput(ValueError):
    """What was entered cannot be used. `errors`: a sentence for each field."""

    def __init__(self, **errors: str) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors: Mapping[str, str] = errors


class ManifestConflict(ValueError):
    """Somebody else changed the manifest, or it is in use; the message is a sentence."""


def slug_sentence(slug: str) -> str:
    """Why no manifest can have this name, or nothing."""
    if not SLUG.fullmatch(slug):
        return (
            "Enter 2 to 40 characters: lower-case letters, digits and _, beginning with a letter."
        )
    if slug in RESERVED_SLUGS:
        return f"{slug!r} is reserved. Enter another name."
    return name_conflict_sentence(slug)


def name_conflict_sentence(slug: str) -> str:
    """Which other manifest or connector has this name, or nothing."""
    if slug in shipped_connectors():
        return f"A shipped system has the name {slug!r}. Enter another name."
    if slug in own_manifest_folder():
        return f"The folder of connectors has a file {slug}{SUFFIX}. Enter another name."
    return ""


def checked_sample_name(name: str) -> str:
    """Return the name of a sample. Raises InvalidManifestInput."""
    if not SAMPLE_NAME.fullmatch(name):
        sentence = (
            f"Enter a name of up to {MAX_SAMPLE_NAME_LENGTH} letters, digits, spaces and . _ -"
        )
        raise InvalidManifestInput(name=sentence)
    return name


def checked_sample(body: bytes) -> bytes:
    """Return the sample. Raises InvalidManifestInput."""
    if not body.strip():
        raise InvalidManifestInput(sample="Paste a sample, or choose a file.")
    if len(body) > MAX_SAMPLE_BYTES:
        sentence = f"The sample is larger than {MAX_SAMPLE_BYTES // 1024} KiB. Shorten it."
        raise InvalidManifestInput(sample=sentence)
    return body


def lock_manifest(manifest: Manifest) -> Manifest:
    """Lock its row in the caller's transaction, and return it as it is stored now."""
    row = Manifest.objects.select_for_update(no_key=True).filter(pk=manifest.pk).first()
    if row is None:
        raise ManifestConflict("The manifest was deleted meanwhile.")
    return row


def audit_manifest(
    action: str, manifest: Manifest, detail: Mapping[str, Any], *, by: User | None, now: datetime
) -> None:
    """Append an entry about this manifest to the audit log."""
    append_audit_entry(
        action, user=by, object=f"manifest {manifest.slug}", detail=dict(detail), now=now
    )
