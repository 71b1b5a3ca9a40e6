"""All connectors: Python packages and manifests that are shipped, and manifests of people.

Manifests of people are files of a folder, or published in the database; those that are published
are given to `use_published_manifests`.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import connectors.systems
from connectors.sdk.connector import Connector
from connectors.sdk.load_plugins_of_package import InvalidPlugin, load_plugins
from connectors.sdk.manifest.folder import (
    SUFFIX,
    ManifestFolder,
    Report,
    load_manifest_as_connector_class,
)
from connectors.sdk.manifest.problems import ManifestProblem

SYSTEMS = Path(connectors.systems.__path__[0])
# How long changed manifests may go unnoticed.
REFRESH_SECONDS = 2.0
_lock = threading.Lock()
_own: dict[str, ManifestFolder] = {}
_refreshed_at: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class PublishedManifests:
    """The connectors of published manifests, and the problems of those that cannot be used."""

    connectors: Mapping[str, type[Connector]] = field(default_factory=dict)
    problems: tuple[ManifestProblem, ...] = ()


_published: dict[str, PublishedManifests] = {}


@cache
def shipped_connectors() -> Mapping[str, type[Connector]]:
    """Return every shipped connector class by its slug. Raises InvalidPlugin or InvalidManifest."""
    packages = load_plugins(connectors.systems, Connector, entry="connector")
    manifests = {
        path.stem: load_manifest_as_connector_class(path)
        for path in sorted(SYSTEMS.glob(f"*{SUFFIX}"))
    }
    if twice := packages.keys() & manifests.keys():
        raise InvalidPlugin(f"{', '.join(sorted(twice))}: both a package and a manifest")
    return {**packages, **manifests}


def connectors_by_slug() -> Mapping[str, type[Connector]]:
    """Return every connector class by its slug.

    Of manifests with one name, a published one is used, so that all hosts use the same.
    """
    folder, published = _refreshed_folder(), _published.get("manifests", PublishedManifests())
    if folder is None and not published.connectors:
        return shipped_connectors()
    of_files = folder.connectors if folder else {}
    return {**of_files, **published.connectors, **shipped_connectors()}


def own_manifest_folder() -> Mapping[str, type[Connector]]:
    """Return the connectors of the folder, by slug."""
    folder = _refreshed_folder()
    return folder.connectors if folder else {}


def _refreshed_folder() -> ManifestFolder | None:
    folder = _own.get("folder")
    if folder is None:
        return None
    now = time.monotonic()
    is_due = now - _refreshed_at.get("folder", -REFRESH_SECONDS) >= REFRESH_SECONDS
    # Another thread that refreshes just now does it for all; this one uses what is loaded.
    if is_due and _lock.acquire(blocking=False):
        try:
            _refreshed_at["folder"] = now
            folder.refresh()
        finally:
            _lock.release()
    return folder


def use_own_manifests(path: Path, report: Report) -> None:
    """Also load the manifests of this folder. `report` gets the problems of broken ones."""
    folder = ManifestFolder(path, reserved=shipped_connectors(), report=report)
    folder.refresh()
    _own["folder"] = folder
    _refreshed_at.pop("folder", None)


def own_manifest_problems() -> tuple[ManifestProblem, ...]:
    """Return what is wrong with the manifests of people."""
    folder, published = _refreshed_folder(), _published.get("manifests", PublishedManifests())
    problems = [*published.problems]
    for slug in sorted(published.connectors.keys() & shipped_connectors().keys()):
        sentence = f"a shipped connector has the name {slug!r} and is used instead"
        problems.append(ManifestProblem("connector", 0, sentence, slug))
    if folder is None:
        return tuple(problems)
    twice = sorted(folder.connectors.keys() & published.connectors.keys())
    hidden = (
        ManifestProblem(
            "connector",
            1,
            f"a published manifest has the name {slug!r} and is used instead of this file",
            str(folder.connectors[slug].manifest_path),
        )
        for slug in twice
    )
    return (*folder.problems, *problems, *hidden)


def use_published_manifests(published: PublishedManifests) -> None:
    """Use these manifests besides those that are shipped and those of the folder."""
    _published["manifests"] = published
