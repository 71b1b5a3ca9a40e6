"""Edited copies of parked messages: the text to edit, a trial of it, and the links of both."""

from dataclasses import dataclass
from email.message import Message

from django.db.models import Q

from connectors.sdk.payload import PayloadError
from visibility.ingest.decompress_gzip import decompress_body_if_gzip
from visibility.ingest.parse_messages_and_pick_versions import StoredMessage
from visibility.models import EditedMessage, InboundMessage, Source
from visibility.models.sources_and_messages import UnusableSource, load_message_body
from visibility.screens.messages.replay_preview import MAX_TRIED_BYTES, MAX_TRIED_SECONDS
from visibility.screens.messages.trial_reading import (
    TrialLimits,
    TrialReading,
    read_messages_in_own_process,
)

# A longer text is slow to edit in a browser.
MAX_EDITED_BYTES = 200_000
UTF_8 = "utf-8"
UTF_8_NAMES = {"utf-8", "utf8", "us-ascii"}


class NotEditable(ValueError):
    """The payload cannot be edited as text; the message says why."""


@dataclass(frozen=True, slots=True)
class EditedLinks:
    """What a message is a copy of, if it is one, and the copies of it."""

    copy_of: EditedMessage | None
    copies: tuple[EditedMessage, ...]


@dataclass(frozen=True, slots=True)
class EditableText:
    """A payload as text, and how to encode it."""

    text: str
    charset: str

    def encode(self, entered: str) -> bytes:
        """The bytes of a text from a form. Browsers send each line end as CR LF.

        Raises NotEditable for a character that the charset does not have.
        """
        text = entered if "\r\n" in self.text else entered.replace("\r\n", "\n")
        if self.charset == UTF_8:
            return text.encode(UTF_8, "replace")
        try:
            return text.encode(self.charset)
        except UnicodeEncodeError as error:
            wrong = text[error.start]
            raise NotEditable(f"{self.charset} has no character {wrong!r}.") from error


def load_editable_text(message: InboundMessage) -> EditableText:
    """The payload as text, without its content encoding. Raises NotEditable."""
    stored = load_message_body(message.pk)
    if stored is None:
        raise NotEditable("The payload was removed by the retention policy.")
    try:
        body = decompress_body_if_gzip(stored, message.headers)
    except PayloadError as error:
        raise NotEditable(f"The payload cannot be read: {error.detail}.") from error
    if len(body) > MAX_EDITED_BYTES:
        raise NotEditable(f"The payload has more than {MAX_EDITED_BYTES // 1000} kB.")
    charset = _charset_of(message)
    try:
        text = body.decode(charset)
        is_unchanged = text.encode(charset) == body
    except (UnicodeError, LookupError) as error:
        raise NotEditable(f"The payload is not text in {charset.upper()}.") from error
    if "\0" in text or not is_unchanged:
        raise NotEditable(f"The payload is not text in {charset.upper()}.")
    return EditableText(text, charset)


def _charset_of(message: InboundMessage) -> str:
    """The charset of the payload: that of its content type, or the one its connector reads."""
    content_type = Message()
    content_type["content-type"] = message.headers.get("content-type", "")
    charset = str(content_type.get_param("charset", "")).lower()
    if not charset:
        try:
            charset = message.source.build_connector().payload_charset
        except UnusableSource:
            charset = UTF_8
    return UTF_8 if charset in UTF_8_NAMES else charset


def try_edited_body(message: InboundMessage, body: bytes) -> TrialReading:
    """Read the message with this body as a worker would, without storing anything."""
    encodings = {"content-encoding", "content-length"}
    stored = StoredMessage(
        id=message.pk,
        source_id=message.source_id,
        received_at=message.received_at,
        dedupe_key=message.dedupe_key,
        content_hash="",
        headers={n: text for n, text in message.headers.items() if n not in encodings},
        body=body,
    )
    sources = Source.objects.in_bulk([message.source_id])
    limits = TrialLimits(MAX_TRIED_SECONDS, MAX_TRIED_BYTES)
    return read_messages_in_own_process([stored], sources, limits)


def load_edited_links(message_id: int) -> EditedLinks:
    """The original and the copies of a message. One statement."""
    rows = EditedMessage.objects.select_related("edited_by").filter(
        Q(message_id=message_id) | Q(original_id=message_id)
    )
    linked = list(rows.order_by("pk")[:50])
    return EditedLinks(
        next((row for row in linked if row.message_id == message_id), None),
        tuple(row for row in linked if row.original_id == message_id),
    )
