"""`manage.py source lint` and `draft`: check manifests, and propose one from a sample."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from django.conf import settings

from connectors.catalog import SYSTEMS
from connectors.sdk.manifest.check_examples import problems_of_failing_examples
from connectors.sdk.manifest.draft import DraftContext, draft_manifest
from connectors.sdk.manifest.folder import SUFFIX, load_manifest_as_connector_class
from connectors.sdk.manifest.problems import InvalidManifest, ManifestProblem

# A file and what is wrong with it.
LintResult = tuple[Path, list[ManifestProblem]]


def lint_given_or_all_manifests(files: Iterable[str], *, now: datetime) -> Iterator[LintResult]:
    """Check these manifests, or all of them: syntax, meaning, and every example."""
    own = Path(settings.CONNECTOR_FOLDER)
    every = [*sorted(SYSTEMS.glob(f"*{SUFFIX}")), *sorted(own.glob(f"*{SUFFIX}"))]
    for path in [Path(name) for name in files] or every:
        try:
            connector = load_manifest_as_connector_class(path)
        except InvalidManifest as error:
            yield path, list(error.problems)
        else:
            yield path, list(problems_of_failing_examples(connector, received_at=now))


def draft_from_sample(sample: Path, name: str = "") -> str:
    """Return a drafted manifest. Raises PayloadError or OSError."""
    body = sample.read_bytes()
    usual = re.sub(r"[^a-z0-9]+", "_", (name or sample.stem).lower()).strip("_")
    slug = usual if re.fullmatch(r"[a-z][a-z0-9_]{1,39}", usual) else "my_system"
    return draft_manifest(body, slug, DraftContext(file_name=sample.name))
