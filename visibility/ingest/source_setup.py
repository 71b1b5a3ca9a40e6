"""Create sources and rotate their secrets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import available_timezones

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from structlog.stdlib import get_logger

from connectors.catalog import connectors_by_slug
from connectors.sdk.connector import SourceRole
from connectors.sdk.identifier_normalization import REUSE_SETTING, parse_reuse_setting
from visibility.ingest.file_drop import DROP_SETTING
from visibility.ingest.source_secrets import (
    SourceSecret,
    UnreadableSecrets,
    decrypt_secrets,
    encrypt_secrets,
    new_secret,
)
from visibility.models.audit import append_audit_entry
from visibility.models.intake import Source

log = get_logger(__name__)
ROTATION_OVERLAP = timedelta(hours=24)
SLUG_PATTERN = re.compile(r"[-a-zA-Z0-9_]+")
MAX_SLUG_LENGTH = 60


class InvalidSource(ValueError):
    """The source cannot be created; the message says why."""


@dataclass(frozen=True, slots=True)
class CreatedSource:
    """A new source, and what its sender needs. The secret cannot be shown again."""

    source: Source
    webhook_url: str
    secret: str


def add_source(
    slug: str,
    *,
    connector: str,
    config: Mapping[str, str],
    secret: str = "",
    title: str = "",
    now: datetime,
) -> CreatedSource:
    """Create a source.

    Raises InvalidSource for an unknown connector or setting, and WeakSecret for a short secret.
    """
    if connector not in connectors_by_slug():
        known = ", ".join(sorted(connectors_by_slug()))
        raise InvalidSource(f"There is no connector {connector!r}. Available connectors: {known}.")
    kind = connectors_by_slug()[connector]
    _check_settings(config, kind.settings)
    if DROP_SETTING in config and not kind.accepts_files:
        raise InvalidSource(f"{kind.title} does not accept files, so it cannot have a drop folder.")
    _check_slug_role_and_zone(slug, config)
    if Source.objects.filter(slug=slug).exists():
        raise InvalidSource(f"A source {slug!r} already exists.")
    chosen = secret or new_secret()
    with transaction.atomic():
        source = Source.objects.create(
            slug=slug,
            title=title or f"{kind.title} ({slug})",
            connector=connector,
            role=config.get("role") or kind.role.value,
            config=dict(config),
            sealed_secrets=encrypt_secrets([SourceSecret(chosen)]),
            next_poll_at=now if kind.polls and config.get("base_url") else None,
        )
        append_audit_entry(
            "source.add", user=None, object=slug, detail={"connector": connector}, now=now
        )
    return CreatedSource(source, f"{settings.PUBLIC_URL}/hooks/{slug}", chosen)


def rotate_secret(source: Source, *, secret: str = "", now: datetime) -> str:
    """Create and return a new secret. The old secrets stay valid for 24 hours.

    Old secrets that cannot be decrypted are lost, and are replaced.
    """
    chosen = secret or new_secret()
    ends = now + ROTATION_OVERLAP
    try:
        stored = decrypt_secrets(source.sealed_secrets)
    except UnreadableSecrets as error:
        log.warning("unreadable_secrets_replaced", source=source.slug, error=str(error))
        stored = []
    old = [
        SourceSecret(s.value, min(s.until or ends, ends))
        for s in stored
        if s.until is None or s.until > now
    ]
    with transaction.atomic():
        Source.objects.filter(pk=source.pk).update(
            sealed_secrets=encrypt_secrets([SourceSecret(chosen), *old]), changed_at=Now()
        )
        append_audit_entry("source.rotate", user=None, object=source.slug, detail={}, now=now)
    return chosen


def _check_slug_role_and_zone(slug: str, config: Mapping[str, str]) -> None:
    if not SLUG_PATTERN.fullmatch(slug) or len(slug) > MAX_SLUG_LENGTH:
        raise InvalidSource(
            f"slug: {slug[:80]!r} must consist of letters, digits, hyphens and underscores, "
            f"{MAX_SLUG_LENGTH} at most."
        )
    role, zone = config.get("role", ""), config.get("zone", "")
    if role and role not in set(SourceRole):
        known = ", ".join(SourceRole)
        raise InvalidSource(f"role: there is no role {role!r}. Available roles: {known}.")
    if zone and zone not in available_timezones():
        raise InvalidSource(f"zone: {zone!r} is not a time zone such as America/Chicago.")


def _check_settings(config: Mapping[str, str], known: Mapping[str, str]) -> None:
    try:
        parse_reuse_setting(config.get(REUSE_SETTING, ""))
    except ValueError as error:
        raise InvalidSource(f"{REUSE_SETTING}: {error}.") from error
    prefixes = tuple(name.split("<")[0] for name in known if "<" in name)
    for name in config:
        if (
            name in known
            or name in {"role", "zone", "governed", REUSE_SETTING, DROP_SETTING}
            or (prefixes and name.startswith(prefixes))
        ):
            continue
        listed = ", ".join(sorted(known)) or "none"
        raise InvalidSource(
            f"This connector has no setting {name!r}. Available settings: {listed}."
        )
