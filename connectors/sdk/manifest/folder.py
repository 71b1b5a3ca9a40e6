"""Load the manifests of a folder. A broken one is reported and does not affect the others."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from stat import S_ISREG

from connectors.sdk.connector import Connector
from connectors.sdk.manifest.connector import ManifestConnector, make_connector_class_of_manifest
from connectors.sdk.manifest.definition import ManifestDefinition
from connectors.sdk.manifest.manifest_parser import parse_manifest
from connectors.sdk.manifest.problems import InvalidManifest, ManifestProblem

SUFFIX = ".yaml"
MAX_MANIFESTS = 500
# Name, modification time and size of each file.
Fingerprint = tuple[tuple[str, int, int], ...]
Report = Callable[[Iterable[ManifestProblem]], object]


def load_manifest_as_connector_class(path: Path) -> type[ManifestConnector]:
    """Load one manifest file. Raises InvalidManifest."""
    manifest = read_manifest(path)
    if manifest.slug != path.stem:
        sentence = f"the connector is {manifest.slug!r}, but the file is {path.name!r}"
        raise InvalidManifest([ManifestProblem("connector", 1, sentence, str(path))])
    return make_connector_class_of_manifest(manifest, path)


def read_manifest(path: Path) -> ManifestDefinition:
    """Parse one manifest file. Raises InvalidManifest; its problems name the file."""
    try:
        return parse_manifest(path.read_bytes())
    except InvalidManifest as error:
        raise InvalidManifest([replace(p, file=str(path)) for p in error.problems]) from None
    except OSError as error:
        sentence = f"the file cannot be read: {error.strerror}"
        raise InvalidManifest([ManifestProblem("", 0, sentence, str(path))]) from None


@dataclass
class ManifestFolder:
    """The manifests of a folder, read again when a file changes.

    A file that becomes invalid keeps its last valid version until the process ends: rejecting all
    messages of a source because of a typing error would lose them.
    """

    path: Path
    reserved: Mapping[str, type[Connector]] = field(default_factory=dict)
    report: Report = list
    connectors: dict[str, type[ManifestConnector]] = field(default_factory=dict)
    problems: tuple[ManifestProblem, ...] = ()
    _fingerprint: Fingerprint | None = None

    def refresh(self) -> None:
        """Read the folder again if a file was added, changed or removed. Never raises."""
        fingerprint = self._current_fingerprint()
        if fingerprint == self._fingerprint:
            return
        self._fingerprint = fingerprint
        loaded: dict[str, type[ManifestConnector]] = {}
        problems: list[ManifestProblem] = []
        for name, _, _ in fingerprint:
            path = self.path / name
            try:
                connector = load_manifest_as_connector_class(path)
                if connector.slug in self.reserved:
                    sentence = f"a shipped connector has the name {connector.slug!r}"
                    raise InvalidManifest([ManifestProblem("connector", 1, sentence, str(path))])
                loaded[connector.slug] = connector
            except InvalidManifest as error:
                problems += error.problems
                self._use_last_valid(path, loaded)
            except Exception as error:  # whatever a file contains, the others are loaded
                sentence = f"the manifest cannot be loaded ({type(error).__name__}: {error})"
                problems.append(ManifestProblem("", 0, sentence[:300], str(path)))
                self._use_last_valid(path, loaded)
        self.connectors, self.problems = loaded, tuple(problems)
        if problems:
            self.report(problems)

    def _use_last_valid(self, path: Path, loaded: dict[str, type[ManifestConnector]]) -> None:
        if path.stem in self.connectors:
            loaded[path.stem] = self.connectors[path.stem]

    def _current_fingerprint(self) -> Fingerprint:
        try:
            names = sorted(p.name for p in self.path.iterdir() if p.suffix == SUFFIX)
        except FileNotFoundError:
            return ()
        except OSError:
            return self._fingerprint or ()
        stats = []
        for name in names[:MAX_MANIFESTS]:
            try:
                stat = (self.path / name).stat()
            except FileNotFoundError:
                continue  # it was removed just now
            except OSError:
                return self._fingerprint or ()
            if S_ISREG(stat.st_mode):
                stats.append((name, stat.st_mtime_ns, stat.st_size))
        return tuple(stats)
