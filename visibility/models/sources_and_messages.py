"""Sources, their messages as received, and their polling cursors."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Now

from connectors.catalog import connectors_by_slug
from connectors.sdk.connector import Connector
from visibility.models import choices

LOAD_BODY = """
SELECT coalesce(b.body, m.body) FROM visibility_inbound_message m
LEFT JOIN visibility_message_body b ON b.message_id = m.id AND b.received_at = m.received_at
WHERE m.id = %s
"""
# The setting that names the folder in which files of a source are dropped.
DROP_FOLDER_SETTING = "drop"
# The setting that names the SFTP server from which files of a source are read instead.
SFTP_HOST_SETTING = "sftp_host"


class MessageState(models.TextChoices):
    """The processing state of a message. Duplicates are counted on `MessageKey`."""

    WAITING = "waiting"
    APPLIED = "applied"
    PARKED = "parked"
    DISCARDED = "discarded"


class MessageBodyRemoved(LookupError):
    """Retention removed the body of the message."""


class UnusableSource(ValueError):
    """The stored connector or settings of a source cannot be used; the message says why."""


class Source(models.Model):
    """One external system: its connector, its settings, its secrets."""

    slug = models.SlugField(unique=True, max_length=60)
    title = models.CharField(max_length=120)
    connector = models.CharField(max_length=60)
    role = models.CharField(max_length=20, choices=choices.source_roles)
    config = models.JSONField(default=dict)
    # Encrypted list of {"value", "until"}, newest first; see visibility/ingest/source_secrets.py.
    sealed_secrets = models.TextField(default="", blank=True)
    enabled = models.BooleanField(default=True)
    # The title of the team that owns its alerts, or the person who does; never both.
    owner = models.CharField(max_length=80, default="", blank=True)
    owner_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    # The silence limit in force: after this long without data the source is silent; null: never.
    # Written from the settings; see visibility/sla/silence_limits.py.
    expect_every = models.DurationField(null=True, default=timedelta(hours=1))
    poll_every = models.DurationField(default=timedelta(minutes=1))
    next_poll_at = models.DateTimeField(null=True)
    # When the latest poll round began and ended, and when the latest notice of a change came.
    poll_started_at = models.DateTimeField(null=True)
    poll_ended_at = models.DateTimeField(null=True)
    poll_requested_at = models.DateTimeField(null=True)
    # Number of polls in a row that failed; throttling is no failure.
    poll_failures = models.IntegerField(default=0, db_default=0)
    # ISO dates or times by the name of the setting; "": of the source's own secret.
    secret_ends = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    # Number of the latest poll round. A round stores nothing once a later one has started.
    poll_round = models.BigIntegerField(default=0, db_default=0)
    # Why the last poll, the drop folder and the queue fail; empty if they work.
    poll_error = models.TextField(default="", blank=True)
    file_error = models.TextField(default="", db_default="", blank=True)
    queue_error = models.TextField(default="", db_default="", blank=True)
    failing_since = models.DateTimeField(null=True)  # stays until `recovered_at`, and after it
    recovered_at = models.DateTimeField(null=True)
    # Until when the system asked not to be polled; the poll error is then no failure.
    throttled_until = models.DateTimeField(null=True)
    # Since when polls stop at their limit: the system has more.
    catching_up_since = models.DateTimeField(null=True)
    # When the latest round began that read everything.
    polled_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())
    # An archived source receives nothing and is not listed; its history stays.
    archived_at = models.DateTimeField(null=True)
    # Its messages are demo data, and are removed with it.
    is_demo = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(archived_at__isnull=True) | Q(enabled=False),
                name="source_archived_is_disabled",
            ),
            models.CheckConstraint(
                condition=Q(owner="") | Q(owner_user__isnull=True), name="source_one_owner"
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def owner_label(self) -> str:
        """The team or the person who owns it; empty if nobody does."""
        if self.owner_user is not None:
            return self.owner_user.get_full_name() or self.owner_user.get_username()
        return self.owner

    @property
    def config_or_empty_if_invalid(self) -> Mapping[str, Any]:
        """The settings by name; empty if what is stored is not pairs of names and values."""
        return self.config if isinstance(self.config, Mapping) else {}

    @property
    def reads_sftp_folder(self) -> bool:
        """Whether its files are read from a folder on an SFTP server, in rounds like polls."""
        connector = connectors_by_slug().get(self.connector)
        return connector is not None and reads_sftp_folder(
            connector, self.config_or_empty_if_invalid
        )

    @property
    def is_polled(self) -> bool:
        """Whether it is asked for what is new: its system, or its SFTP server."""
        connector = connectors_by_slug().get(self.connector)
        return connector is not None and (connector.polls or self.reads_sftp_folder)

    def build_connector(self, secret_settings: Mapping[str, str] | None = None) -> Connector:
        """The connector, with this source's settings. Raises UnusableSource.

        Parsing needs no secret settings.
        """
        return build_connector(self.connector, self.config, self.slug, secret_settings)


def reads_sftp_folder(connector: type[Connector], config: Mapping[str, Any]) -> bool:
    """Whether a source with these settings reads a folder on an SFTP server."""
    has_server = bool(str(config.get(SFTP_HOST_SETTING, "")).strip())
    return has_server and connector.accepts_files and not connector.polls


def build_connector(
    code: str, config: object, slug: str, secret_settings: Mapping[str, str] | None = None
) -> Connector:
    """The connector of a stored source, with its settings. Raises UnusableSource."""
    connector = connectors_by_slug().get(code)
    if connector is None:
        raise UnusableSource(f"this version has no connector {code!r}")
    if not isinstance(config, Mapping):
        raise UnusableSource("its stored settings are not pairs of names and values")
    return connector({**config, **(secret_settings or {}), "source": slug})


class SourceActivity(models.Model):
    """The newest applied messages and events of a source, by event type. Never moves back.

    The row without an event type is about the source as a whole: all messages that were applied,
    and the events that can belong to an order. An event counts as of when it occurred, but not
    later than it was received.
    """

    source = models.ForeignKey(Source, on_delete=models.PROTECT, db_index=False)
    event_type = models.CharField(max_length=40, default="", db_default="", blank=True)
    # Null: no message yet. The row exists because its limit was set at `watched_since`.
    last_received_at = models.DateTimeField(null=True)
    newest_event_at = models.DateTimeField(null=True)
    watched_since = models.DateTimeField(db_default=Now())
    # The receipt that ended the latest pause longer than the silence limit.
    resumed_at = models.DateTimeField(null=True)
    # When an event that had occurred before `resumed_at` was last applied.
    backlog_applied_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "event_type"], name="source_activity_unique")
        ]


class Cursor(models.Model):
    """How far a poller has read. Moves in the transaction that stores the rows."""

    source = models.OneToOneField(Source, on_delete=models.PROTECT, primary_key=True)
    value = models.TextField(default="")
    moved_at = models.DateTimeField(db_default=Now())


class PollRound(models.Model):
    """How one poll of a source ended. Stored for some weeks."""

    source = models.ForeignKey(Source, on_delete=models.PROTECT, db_index=False)
    ended_at = models.DateTimeField()
    # Empty if it succeeded.
    error = models.TextField(default="")
    is_throttled = models.BooleanField(default=False)
    # Null: it was stored by an older version.
    started_at = models.DateTimeField(null=True)
    new_count = models.IntegerField(null=True)
    page_count = models.IntegerField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["ended_at"], name="poll_round_ended"),
            models.Index(fields=["source", "-id"], name="poll_round_source"),
        ]


class InboundMessage(models.Model):
    """One message, and the queue of the pipeline. Partitioned by `received_at`.

    Its body is a row of `MessageBody`. `unmoved_body` is set only for messages that an older
    version stored, until a job has moved their bodies.
    """

    id = models.BigIntegerField(primary_key=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, db_index=False)
    received_at = models.DateTimeField()
    dedupe_key = models.TextField()
    content_hash = models.CharField(max_length=64)
    headers = models.JSONField(default=dict)
    unmoved_body = models.BinaryField(null=True, db_column="body")
    state = models.CharField(max_length=10, choices=MessageState.choices)
    reason = models.CharField(max_length=20, choices=choices.parking_reasons)
    detail = models.TextField(default="")
    attempts = models.IntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    processed_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "visibility_inbound_message"

    @property
    def body(self) -> bytes:
        """The bytes as received. Runs a statement. Raises MessageBodyRemoved."""
        body = load_message_body(self.pk)
        if body is None:
            raise MessageBodyRemoved(f"message {self.pk}")
        return body


def load_message_body(message_id: int) -> bytes | None:
    """The bytes of a message as received; None if there is no message, or retention removed them.

    One statement reads both places, so that a body that is being moved is found.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOAD_BODY, [message_id])
        row = cursor.fetchone()
    return bytes(row[0]) if row and row[0] is not None else None


class MessageKey(models.Model):
    """What was already received, for at least 400 days: longer than the message partitions live.

    Two rows with one dedupe key and two hashes are two versions of one message: both are stored,
    one is effective.
    """

    source = models.ForeignKey(Source, on_delete=models.PROTECT, db_index=False)
    dedupe_key = models.TextField()
    content_hash = models.CharField(max_length=64)
    message_id = models.BigIntegerField()
    received_at = models.DateTimeField()
    duplicate_count = models.IntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "dedupe_key", "content_hash"], name="message_key_unique"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["message_id"], name="message_key_message"),
            models.Index(
                fields=["source"], condition=Q(duplicate_count__gt=0), name="message_key_duplicated"
            ),
        ]


class RejectedRequestCount(models.Model):
    """Number of rejected requests by source, HTTP status and hour; the requests are not stored."""

    slug = models.CharField(max_length=60)
    status = models.IntegerField()
    hour = models.DateTimeField()
    count = models.BigIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["slug", "status", "hour"], name="rejected_request_count_unique"
            )
        ]
