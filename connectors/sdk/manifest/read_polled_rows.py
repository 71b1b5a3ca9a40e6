"""The rows of a poll response: their messages, and their times of change."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.sdk.encode_json import encode_json
from connectors.sdk.manifest.definition import PollRule
from connectors.sdk.manifest.paths import ScalarReadingRules, Scope
from connectors.sdk.manifest.poll_state import parse_poll_time
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.webhook_and_poll_types import PolledRecord, PollError

# Times without an offset may be of any time zone.
MAX_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PolledRowReader:
    """Reads the rows of the responses of one poll."""

    rule: PollRule
    texts: Mapping[str, str]
    reading: ScalarReadingRules
    now: datetime

    def scope(self, document: Node) -> Scope:
        """Return the scope in which paths start at the document."""
        return Scope(document, self.texts, self.reading)

    def scopes(self, document: Node) -> list[Scope]:
        """Return the rows of a response. Raises PollError."""
        scope, records = self.scope(document), self.rule.records
        try:
            if records:
                is_present = records.has_list_even_if_null_or_empty(scope) or document.value == []
                if not is_present and not self.rule.records_optional:
                    raise PollError(f"the response has no {records.pieces[0].text}")
                return records.elements(scope)
            if isinstance(document.value, list):
                return [self.scope(node) for node in document.as_list()]
        except PayloadError as error:
            raise PollError(f"the response is invalid ({error})") from None
        return [scope]

    def change_time_text(self, row: Scope) -> str:
        """Return when a row changed, as the system writes it, or "". Raises PollError."""
        if self.rule.cursor_field is None:
            return ""
        try:
            text = self.rule.cursor_field.evaluate(row)
        except PayloadError as error:
            raise PollError(str(error)) from None
        # A time far ahead would hide every later change.
        return text if text and parse_poll_time(text) <= self.now + MAX_AHEAD else ""

    def to_record(self, row: Scope) -> PolledRecord:
        """Return a row as a message. Without a declared key, its content identifies it."""
        body = encode_json(row.node.value)
        try:
            key = self.rule.record_key.render(row) if self.rule.record_key else ""
        except PayloadError:
            key = ""
        return PolledRecord(key or f"sha256 {hashlib.sha256(body).hexdigest()}", body)
