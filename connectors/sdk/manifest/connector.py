"""A connector class made from a manifest."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlencode

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.batch_contents import BatchContents
from connectors.sdk.connector import Connector, ParseResult, RawMessage
from connectors.sdk.manifest import sender_steps, webhook_verification
from connectors.sdk.manifest.build_poll_requests import (
    settings_in_templates,
    settings_in_url_and_authorization,
)
from connectors.sdk.manifest.definition import ManifestDefinition
from connectors.sdk.manifest.interpreter import Interpreter
from connectors.sdk.manifest.paths import ScalarReadingRules, Scope
from connectors.sdk.manifest.poller import ManifestPoller
from connectors.sdk.manifest.read_records_of_message import (
    count_records,
    load_document,
    shape_of_records,
)
from connectors.sdk.manifest.sql_poller import SqlPoller
from connectors.sdk.message_shape import MessageShape
from connectors.sdk.payload import PayloadError
from connectors.sdk.webhook_and_poll_types import (
    HttpClient,
    PollContext,
    PolledPage,
    PollError,
    WebhookRequest,
    WebhookResponse,
)

# Names that templates of polls fill in without a setting.
BUILT_IN_NAMES = frozenset({"secret", "number", "source", "since", "page_cursor", "page", "offset"})


# A longer message is no example for a command line.
MAX_EXAMPLE_BYTES = 8_192


class ManifestConnector(Connector):
    """Base class of declarative connectors; subclasses only add their manifest."""

    manifest: ClassVar[ManifestDefinition]
    # The file, for messages to people.
    manifest_path: ClassVar[Path]
    # The files of examples by name; None: they are in a folder beside the manifest.
    sample_files: ClassVar[Mapping[str, bytes] | None] = None
    # Vendors dictate the secrets.
    allows_short_secrets: ClassVar[bool] = True

    @cached_property
    def setting_texts(self) -> Mapping[str, str]:
        """The settings as text, for templates. Raises PayloadError for an invalid setting."""
        return {"source": self.source_slug} | {
            setting.name: str(self.config.get(setting.name) or setting.default).strip()
            for setting in self.settings
            # Parsing gets no secrets, so they are not checked.
            if setting.is_secret or self.parsed_settings.raise_if_invalid_else_true(setting.name)
        }

    def handshake(
        self, request: WebhookRequest, secrets: Sequence[bytes]
    ) -> WebhookResponse | None:
        """Return the response to a declared setup request."""
        webhook = self.manifest.webhook
        return (
            webhook_verification.answer_handshake(webhook.handshakes, request) if webhook else None
        )

    def success_response(self) -> WebhookResponse | None:
        """Return the declared response to a stored message."""
        webhook = self.manifest.webhook
        return WebhookResponse(*webhook.answer) if webhook and webhook.answer else None

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the declared signature or token."""
        if self.manifest.webhook is None:
            raise InvalidSignature("this connector receives no webhooks")
        rule = self.manifest.webhook.verify
        public_keys = self.config.get(rule.public_keys_setting, "").strip()
        webhook_verification.verify(rule, request, secrets, now, public_keys)

    def build_signed_headers(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """Sign as the vendor does."""
        webhook = self.manifest.webhook
        return (
            webhook_verification.build_signed_headers_as_sender(webhook.verify, body, secret, now)
            if webhook
            else {}
        )

    def webhook_url_query(self, secret: str) -> str:
        """Return the token that the vendor sends in the URL."""
        webhook = self.manifest.webhook
        if webhook is None or not webhook.verify.query_token:
            return ""
        return "?" + urlencode({webhook.verify.query_token: secret})

    def request_example(self, url: str) -> str:
        """Return shell commands that sign a message as the manifest declares."""
        return sender_steps.request_example(self.manifest, url)

    def example_payload(self) -> bytes:
        """Return the first example that is written in the manifest, or else a stored sample."""
        examples = [example for example in self.manifest.examples if example.event_types]
        stored = self.sample_files or {}
        bodies = (
            *(example.text.encode() for example in examples),
            *(stored.get(example.file, b"") for example in examples),
        )
        return next((body for body in bodies if 0 < len(body) <= MAX_EXAMPLE_BYTES), b"")

    def dedupe_key(self, request: WebhookRequest) -> str:
        """Return the declared delivery id; empty: the content decides."""
        webhook = self.manifest.webhook
        if webhook is None:
            return ""
        if webhook.delivery_id_header:
            return request.headers.get(webhook.delivery_id_header, "")
        if webhook.delivery_id_field is None:
            return ""
        try:
            document = load_document(self.manifest.read, request.body)
            scope = Scope(document, {}, ScalarReadingRules())
            if not webhook.delivery_id_condition.holds(scope):
                return ""
            return webhook.delivery_id_field.evaluate(scope)
        except PayloadError:
            return ""

    def parse(self, message: RawMessage) -> ParseResult:
        """Interpret the manifest."""
        return Interpreter(
            self.manifest, self.parsed_settings, self.setting_texts, self.source_slug
        ).parse(message)

    def message_shape(self, message: RawMessage) -> MessageShape | None:
        """Return the columns, elements or attributes of a message in the declared format."""
        return shape_of_records(self.manifest.read, message.body)

    def batch_contents(self, message: RawMessage) -> BatchContents:
        """Count the rows or records, as `read` declares them. Raises PayloadError."""
        return BatchContents(count_records(self.manifest.read, message.body))

    def is_poll_configured(self) -> bool:
        """Whether every setting that the requests need has a value."""
        rule, sql = self.manifest.poll, self.manifest.sql
        needed: set[str] = set()
        if rule is not None:
            needed = settings_in_url_and_authorization(rule)
        elif sql is not None:
            needed = settings_in_templates([sql.database, sql.view])
        return (rule or sql) is not None and all(
            self.config.get(name) or _default_text_of_setting(self, name)
            for name in needed - BUILT_IN_NAMES
            # Without codes of carriers, it is a setting.
            if name != "carrier" or rule is None or not rule.carrier_codes
        )

    def poll_with_context(
        self, http: HttpClient, cursor: str, secrets: Sequence[bytes], context: PollContext
    ) -> Iterator[PolledPage]:
        """Yield pages as declared."""
        rule, sql = self.manifest.poll, self.manifest.sql
        if rule is None and sql is None:
            raise PollError(f"{self.title} does not support polling")
        try:
            texts = self.setting_texts
        except PayloadError as error:
            raise PollError(error.detail) from None
        if rule is None:
            assert sql is not None  # one of them is declared
            return SqlPoller(sql, texts, self.manifest.read.reading, secrets, context).pages(cursor)
        return ManifestPoller(rule, self.manifest.read, http, texts, secrets, context).pages(cursor)


def make_connector_class_of_manifest(
    manifest: ManifestDefinition, path: Path, sample_files: Mapping[str, bytes] | None = None
) -> type[ManifestConnector]:
    """Make the connector class of a manifest. With `sample_files`, examples read no folder."""
    webhook = manifest.webhook
    headers = frozenset(each.header for each in manifest.versions if each.header)
    stored = (webhook.stored_headers if webhook else frozenset()) | headers
    polled = manifest.poll or manifest.sql
    members = {
        "__doc__": manifest.description,
        "__module__": __name__,
        "manifest": manifest,
        "manifest_path": path,
        "sample_files": sample_files,
        "slug": manifest.slug,
        "title": manifest.title,
        "role": manifest.role,
        "settings": manifest.settings,
        "versions": manifest.versions,
        "stored_headers": stored,
        "polls": polled is not None,
        "poll_interval": polled.every if polled else None,
        "accepts_webhooks": webhook is not None,
        "payload_charset": manifest.read.charset,
        "accepts_files": manifest.accepts_files,
        "file_pattern": manifest.file_pattern,
        "batch_defaults": manifest.batch_defaults,
        "reception": _describe_how_messages_arrive(manifest),
        "setup": manifest.setup,
        "topics": manifest.topics,
        "permissions": manifest.permissions,
        "not_covered": manifest.not_covered,
        "derived_steps": sender_steps.sender_steps(manifest),
    }
    return type(f"Manifest_{manifest.slug}", (ManifestConnector,), members)


def _default_text_of_setting(connector: Connector, name: str) -> str:
    return next(setting.default for setting in connector.settings if setting.name == name)


def _describe_how_messages_arrive(manifest: ManifestDefinition) -> str:
    """How messages arrive, in words."""
    doors = []
    if manifest.webhook:
        doors.append("webhooks")
    if manifest.poll:
        about = " for the packages under way" if manifest.poll.about_open_packages else ""
        doors.append(f"polled{about}")
    if manifest.sql:
        doors.append(f"polled from a view of a database ({manifest.sql.kind})")
    if manifest.accepts_files:
        pattern = f" (`{manifest.file_pattern}`)" if manifest.file_pattern else ""
        doors.append(f"files{pattern} dropped into a folder")
    return ", ".join(doors)
