"""Create and change sources, and rotate their secrets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from structlog.stdlib import get_logger

from connectors.catalog import connectors_by_slug
from connectors.sdk.connector import Connector
from connectors.sdk.parse_setting_values import parse_storable_text
from connectors.sdk.settings import SettingError
from visibility.ingest.changed_values import values_before_and_after
from visibility.ingest.check_new_source import (
    MAX_TITLE_LENGTH,
    SECRET,
    new_source_errors,
    parse_source_title,
)
from visibility.ingest.check_source_settings import (
    ROLE_SETTING,
    find_setting_errors,
    secret_setting_names,
)
from visibility.ingest.create_allowed_drop_folder import create_allowed_drop_folder
from visibility.ingest.file_drop import DROP_SETTING
from visibility.ingest.queue_connections import set_up_queue_connection
from visibility.ingest.queue_settings import PREFIX as QUEUE_PREFIX
from visibility.ingest.refolds_after_setting_change import request_refolds_after_setting_change
from visibility.ingest.separate_secret_settings import (
    is_polling_configured,
    separate_secret_settings,
)
from visibility.ingest.source_secrets import (
    SourceSecret,
    UnreadableSecrets,
    decrypt_secrets,
    encrypt_secrets,
    new_secret,
    secret_setting_values_by_name,
)
from visibility.models.audit import append_audit_entry
from visibility.models.sources_and_messages import Source, SourceActivity
from visibility.sla.secret_ends import ends_without_changed_secrets
from visibility.sla.silence_limits import (
    silence_limit_of_settings,
    silence_limits_by_event_type,
)

log = get_logger(__name__)
ROTATION_OVERLAP = timedelta(hours=24)
MAX_ROTATION_OVERLAP = timedelta(days=30)


class InvalidSource(ValueError):
    """The source cannot be created or changed. `errors` names the fields and says why."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        super().__init__("\n".join(f"{error.name}: {error.sentence}" for error in errors))
        self.errors = tuple(errors)

    @property
    def sentence_by_name(self) -> dict[str, str]:
        """The sentence of each field."""
        return {error.name: error.sentence for error in self.errors}


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
    user: User | None = None,
    any_drop_folder: bool = True,
) -> CreatedSource:
    """Create a source. Blank settings are not stored.

    `any_drop_folder`: as for `change_settings`. Raises InvalidSource for an unknown connector, an
    invalid slug, title or setting, and a short secret.
    """
    if connector not in connectors_by_slug():
        known = ", ".join(sorted(connectors_by_slug()))
        sentence = f"There is no connector {connector!r}. Available connectors: {known}."
        raise InvalidSource([SettingError("connector", sentence)])
    kind = connectors_by_slug()[connector]
    config = {name: text for name, text in config.items() if text.strip()}
    if errors := new_source_errors(slug, kind, config, title=title, secret=secret):
        raise InvalidSource(errors)
    if not any_drop_folder:
        _create_drop_folder_if_changed({}, config)
    chosen = secret or new_secret()
    open_config, secrets = separate_secret_settings(kind, config)
    with transaction.atomic():
        source = Source.objects.create(
            slug=slug,
            title=parse_source_title(title or _default_title(kind, slug)),
            connector=connector,
            role=config.get(ROLE_SETTING) or kind.role.value,
            config=open_config,
            sealed_secrets=encrypt_secrets(
                [SourceSecret(chosen), *secrets], short_allowed=kind.allows_short_secrets
            ),
            next_poll_at=now if is_polling_configured(kind, {**config, "source": slug}) else None,
            expect_every=silence_limit_of_settings(open_config),
            **({"poll_every": kind.poll_interval} if kind.poll_interval else {}),
        )
        _watch_event_types_with_limits(source)
        set_up_queue_connection(source, now=now)
        append_audit_entry(
            "source.add", user=user, object=slug, detail={"connector": connector}, now=now
        )
    return CreatedSource(source, f"{settings.PUBLIC_URL}/hooks/{slug}", chosen)


def _default_title(connector: type[Connector], slug: str) -> str:
    title = connector.title if slug == connector.slug else f"{connector.title} ({slug})"
    return title[:MAX_TITLE_LENGTH]


def change_settings(
    source: Source,
    changes: Mapping[str, str],
    *,
    now: datetime,
    user: User | None = None,
    any_drop_folder: bool = True,
) -> None:
    """Set these settings of a source; a blank value removes a setting. Raises InvalidSource.

    `any_drop_folder`: the caller has access to the server. Otherwise a new drop folder must be
    inside the folders that an administrator allows. The audit entry has no secret values.
    """
    kind = connectors_by_slug().get(source.connector)
    if kind is None:
        sentence = f"There is no connector {source.connector!r}."
        raise InvalidSource([SettingError("connector", sentence)])
    with transaction.atomic():
        # A poll may store a new refresh token at the same time.
        row = Source.objects.select_for_update(no_key=True).get(pk=source.pk)
        try:
            sealed = decrypt_secrets(row.sealed_secrets)
        except UnreadableSecrets as error:
            sentence = f"Replace the secret (manage.py source rotate) first: {error}."
            raise InvalidSource([SettingError("secret", sentence)]) from None
        merged = {
            **row.config_or_empty_if_invalid,
            **secret_setting_values_by_name(sealed),
            **changes,
        }
        config = {name: text for name, text in merged.items() if str(text).strip()}
        errors = find_setting_errors(kind, config, stored=row.config_or_empty_if_invalid)
        if errors:
            raise InvalidSource(errors)
        if not any_drop_folder:
            _create_drop_folder_if_changed(row.config_or_empty_if_invalid, config)
        open_config, secrets = separate_secret_settings(kind, config)
        own_secrets = [secret for secret in sealed if not secret.setting]
        row_config_before = row.config_or_empty_if_invalid
        is_polled = is_polling_configured(kind, {**config, "source": row.slug})
        Source.objects.filter(pk=row.pk).update(
            config=open_config,
            role=config.get(ROLE_SETTING) or kind.role.value
            if ROLE_SETTING in changes
            else row.role,
            secret_ends=ends_without_changed_secrets(row, changes),
            sealed_secrets=encrypt_secrets([*own_secrets, *secrets], short_allowed=True),
            next_poll_at=now if is_polled else None,
            **_new_silence_limit_if_changed(row, open_config),
            changed_at=Now(),
        )
        row.config = open_config
        _watch_event_types_with_limits(row)
        if any(name.startswith(QUEUE_PREFIX) for name in changes):
            set_up_queue_connection(row, now=now)
        request_refolds_after_setting_change(changes)
        append_audit_entry(
            "source.set",
            user=user,
            object=row.slug,
            detail={"settings": sorted(changes)}
            | values_before_and_after(
                row_config_before, open_config, names=changes.keys() - secret_setting_names(kind)
            ),
            now=now,
        )


def _new_silence_limit_if_changed(
    row: Source, config: Mapping[str, str]
) -> dict[str, timedelta | None]:
    """Return the limit in force to write; none if the settings of the limit stay the same.

    A limit that was set in the database thus stays until somebody sets one.
    """
    limit = silence_limit_of_settings(config)
    if limit == silence_limit_of_settings(row.config_or_empty_if_invalid):
        return {}
    return {"expect_every": limit}


def _watch_event_types_with_limits(source: Source) -> None:
    """Note since when events of these types are expected, for those that have not come yet."""
    SourceActivity.objects.bulk_create(
        [
            SourceActivity(source=source, event_type=event_type)
            for event_type in sorted(
                silence_limits_by_event_type(source.config_or_empty_if_invalid)
            )
        ],
        ignore_conflicts=True,
    )


def _create_drop_folder_if_changed(stored: Mapping[str, str], config: Mapping[str, str]) -> None:
    chosen = config.get(DROP_SETTING, "")
    if chosen and chosen != stored.get(DROP_SETTING):
        try:
            create_allowed_drop_folder(chosen)
        except ValueError as error:
            raise InvalidSource([SettingError(DROP_SETTING, str(error))]) from None


def change_settings_and_secret(
    source: Source, changes: Mapping[str, str], *, secret: str, now: datetime, user: User
) -> None:
    """Change settings as a person, and the secret unless it is blank. Raises InvalidSource."""
    with transaction.atomic():
        if secret:
            try:
                rotate_secret(source, secret=parse_storable_text(secret), now=now, user=user)
            except ValueError as error:
                raise InvalidSource([SettingError(SECRET, str(error))]) from None
        if changes:
            change_settings(source, changes, now=now, user=user, any_drop_folder=False)


def rotate_secret(
    source: Source,
    *,
    secret: str = "",
    overlap: timedelta = ROTATION_OVERLAP,
    now: datetime,
    user: User | None = None,
) -> str:
    """Create and return a new secret. The old secrets stay valid for the overlap, at most 30 days.

    Old secrets that cannot be decrypted are lost, and are replaced. Raises WeakSecret.
    """
    kind = connectors_by_slug().get(source.connector)
    chosen = secret or new_secret()
    ends = now + min(max(overlap, timedelta()), MAX_ROTATION_OVERLAP)
    with transaction.atomic():
        # A poll may store a new refresh token at the same time.
        row = Source.objects.select_for_update(no_key=True).get(pk=source.pk)
        try:
            sealed = decrypt_secrets(row.sealed_secrets)
        except UnreadableSecrets as error:
            log.warning("unreadable_secrets_replaced", source=source.slug, error=str(error))
            sealed = []
        old = [
            SourceSecret(s.value, min(s.until or ends, ends))
            for s in sealed
            if not s.setting and (s.until is None or s.until > now)
        ]
        of_settings = [s for s in sealed if s.setting]
        Source.objects.filter(pk=source.pk).update(
            sealed_secrets=encrypt_secrets(
                [SourceSecret(chosen), *old, *of_settings],
                short_allowed=bool(kind and kind.allows_short_secrets),
            ),
            changed_at=Now(),
        )
        append_audit_entry(
            "source.rotate",
            user=user,
            object=source.slug,
            detail={"old_valid_until": ends.isoformat()},
            now=now,
        )
    return chosen
