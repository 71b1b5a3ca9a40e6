"""Connect a source: make its row, its secret, its address."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from connectors.catalog import systems
from connectors.sdk.normalization import RECYCLES, recycling
from visibility.ingest.file_drop import SETTING
from visibility.ingest.source_secrets import Secret, new_secret, seal, unseal
from visibility.models.audit import record
from visibility.models.intake import Source

OVERLAP = timedelta(hours=24)


class BadSource(ValueError):
    """The source can't be made as asked; the text says why."""


@dataclass(frozen=True, slots=True)
class Connected:
    """A source and what its sender needs; the secret is shown this once."""

    source: Source
    hook: str
    secret: str


def add(
    slug: str,
    *,
    connector: str,
    config: Mapping[str, str],
    secret: str = "",
    title: str = "",
    now: datetime,
) -> Connected:
    """Make a source. Raises BadSource for an unknown connector or setting, or a weak secret."""
    if connector not in systems():
        known = ", ".join(sorted(systems()))
        raise BadSource(f"There is no connector {connector!r}. There are: {known}.")
    kind = systems()[connector]
    _check(config, kind.settings)
    if SETTING in config and not kind.files:
        raise BadSource(f"{kind.title} does not come in files, so it has no drop folder.")
    if Source.objects.filter(slug=slug).exists():
        raise BadSource(f"There is a source {slug!r} already.")
    chosen = secret or new_secret()
    with transaction.atomic():
        source = Source.objects.create(
            slug=slug,
            title=title or f"{kind.title} ({slug})",
            connector=connector,
            role=config.get("role", kind.role.value),
            config=dict(config),
            sealed_secrets=seal([Secret(chosen)]),
            next_poll_at=now if kind.polls and config.get("base_url") else None,
        )
        record("source.add", who=None, object=slug, detail={"connector": connector}, now=now)
    return Connected(source, f"{settings.PUBLIC_URL}/hooks/{slug}", chosen)


def rotate(source: Source, *, secret: str = "", now: datetime) -> str:
    """A new secret; the old ones go on counting for a day. Returns it, this once."""
    chosen = secret or new_secret()
    ends = now + OVERLAP
    old = [
        Secret(s.value, min(s.until or ends, ends))
        for s in unseal(source.sealed_secrets)
        if s.until is None or s.until > now
    ]
    with transaction.atomic():
        Source.objects.filter(pk=source.pk).update(
            sealed_secrets=seal([Secret(chosen), *old]), changed_at=Now()
        )
        record("source.rotate", who=None, object=source.slug, detail={}, now=now)
    return chosen


def _check(config: Mapping[str, str], known: Mapping[str, str]) -> None:
    try:
        recycling(config.get(RECYCLES, ""))
    except ValueError as error:
        raise BadSource(f"{RECYCLES}: {error}.") from error
    prefixes = tuple(name.split("<")[0] for name in known if "<" in name)
    for name in config:
        if (
            name in known
            or name in {"role", "zone", "governed", RECYCLES, SETTING}
            or (prefixes and name.startswith(prefixes))
        ):
            continue
        listed = ", ".join(sorted(known)) or "none"
        raise BadSource(f"This connector has no setting {name!r}. It has: {listed}.")
