"""Published manifests, for every process of every host.

The database has them. A process reads them again when the version of the configuration changed: a
batch of messages with the version that it reads anyway, the intake with its sources, and pages,
polls and collected files at most once in `MAX_AGE` seconds.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import Error, connection
from structlog.stdlib import get_logger

from connectors.catalog import PublishedManifests, use_published_manifests
from connectors.sdk.manifest.connector import ManifestConnector, make_connector_class_of_manifest
from connectors.sdk.manifest.manifest_parser import parse_manifest
from connectors.sdk.manifest.problems import InvalidManifest, ManifestProblem

log = get_logger(__name__)
MAX_AGE = 1.0  # seconds
SELECT_VERSION = "SELECT version FROM visibility_configurationversion"
# The version comes first: rows that are newer than it are read again.
SELECT_PUBLISHED = """
SELECT DISTINCT ON (manifest.slug) manifest.slug, version.number, version.text
FROM visibility_manifestversion version
JOIN visibility_manifest manifest ON manifest.id = version.manifest_id
ORDER BY manifest.slug, version.number DESC
"""
# Slug, number of the version, and text of each live manifest.
PublishedRow = Sequence[Any]


@dataclass(frozen=True, slots=True)
class LoadedVersion:
    """The configuration version whose manifests this process uses, and when it was read."""

    version: UUID | None = None
    read_at: float = -MAX_AGE


_lock = threading.Lock()
_loaded = LoadedVersion()
# The connector of each text: only what changed is parsed.
_connectors: dict[tuple[str, str], type[ManifestConnector]] = {}


def refresh_published_manifests() -> None:
    """Use what is published now, up to `MAX_AGE` seconds old. Keeps the manifests without it."""
    global _loaded
    if time.monotonic() - _loaded.read_at < MAX_AGE:
        return
    try:
        reload_published_manifests()
    except Error as error:
        _loaded = replace(_loaded, read_at=time.monotonic())
        log.warning("manifests_not_loaded", error=type(error).__name__)


def reload_published_manifests() -> None:
    """Use what is published now, for example because this process changed it."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_VERSION)
        row = cursor.fetchone()
    use_manifests_of_version(row[0] if row else None)


def use_manifests_of_version(version: UUID | None) -> None:
    """Read what is published if it may have changed since this version was read before."""
    if is_loaded(version):
        return
    with connection.cursor() as cursor:
        cursor.execute(SELECT_PUBLISHED)
        rows = cursor.fetchall()
    use_published_rows(version, rows)


def is_loaded(version: UUID | None) -> bool:
    """Whether this process uses the manifests of this version of the configuration."""
    global _loaded
    if version is None or version != _loaded.version:
        return False
    _loaded = replace(_loaded, read_at=time.monotonic())
    return True


def use_published_rows(version: UUID | None, rows: Iterable[PublishedRow]) -> None:
    """Use these rows of `SELECT_PUBLISHED`. A text that cannot be used is reported and left out."""
    global _loaded, _connectors
    with _lock:
        connectors: dict[tuple[str, str], type[ManifestConnector]] = {}
        problems: list[ManifestProblem] = []
        for slug, number, text in rows:
            known = _connectors.get((slug, text))
            try:
                connector = known or connector_of_text(slug, text)
                connector.release = str(number)
                connectors[slug, text] = connector
            except InvalidManifest as error:
                file = f"{slug}, version {number}"
                problems += [replace(problem, file=file) for problem in error.problems]
            except Exception as error:  # of a parser newer than the text; it must hide no other
                file = f"{slug}, version {number}"
                sentence = f"the manifest cannot be used ({type(error).__name__}: {error})"
                problems.append(ManifestProblem("", 0, sentence[:300], file))
        for problem in problems:
            log.warning("manifest_invalid", file=problem.file, problem=problem.sentence)
        by_slug = {slug: connector for (slug, _), connector in connectors.items()}
        use_published_manifests(PublishedManifests(by_slug, tuple(problems)))
        _connectors, _loaded = connectors, LoadedVersion(version, time.monotonic())


def used_rows() -> list[tuple[str, int, str]]:
    """What this process uses, for `use_published_rows` in a process without the database."""
    return [(slug, 0, text) for slug, text in _connectors]


def connector_of_text(
    slug: str, text: str, samples: "dict[str, bytes] | None" = None
) -> type[ManifestConnector]:
    """The connector of a manifest that is not a file. Raises InvalidManifest."""
    manifest = parse_manifest(text)
    if manifest.slug != slug:
        sentence = f"the connector is {manifest.slug!r}, but the manifest is {slug!r}"
        raise InvalidManifest([ManifestProblem("connector", 1, sentence)])
    return make_connector_class_of_manifest(manifest, Path(slug), samples or {})
