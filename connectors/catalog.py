"""All connectors: Python packages and manifests that are shipped, and manifests of people."""

import threading
import time
from collections.abc import Mapping
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
    """Return every connector class by its slug."""
    folder = _own.get("folder")
    if folder is None:
        return shipped_connectors()
    now = time.monotonic()
    is_due = now - _refreshed_at.get("folder", -REFRESH_SECONDS) >= REFRESH_SECONDS
    # Another thread that refreshes just now does it for all; this one uses what is loaded.
    if is_due and _lock.acquire(blocking=False):
        try:
            _refreshed_at["folder"] = now
            folder.refresh()
        finally:
            _lock.release()
    return folder.with_reserved


def use_own_manifests(path: Path, report: Report) -> None:
    """Also load the manifests of this folder. `report` gets the problems of broken ones."""
    folder = ManifestFolder(path, reserved=shipped_connectors(), report=report)
    folder.refresh()
    _own["folder"] = folder
    _refreshed_at.pop("folder", None)


def own_manifest_problems() -> tuple[ManifestProblem, ...]:
    """Return what is wrong with the manifests of people."""
    connectors_by_slug()
    return _own["folder"].problems if "folder" in _own else ()
