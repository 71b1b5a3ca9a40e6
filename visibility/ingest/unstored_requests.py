"""Record the newest refused requests and test events of each source, for its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core import signing
from django.db import transaction

from visibility.db.change_feed import append_changes
from visibility.models.source_requests import UnstoredRequest

# So many of the newest requests of a source are stored.
STORED_REQUESTS = 50
# A test event carries this header. Its value is signed by the product and valid for a minute.
TEST_HEADER = "x-throughline-test"
TEST_SECONDS = 60
MAX_REASON_LENGTH = 300
# The status of a message from a queue that was not stored: no HTTP answer has it.
OF_QUEUE = 0


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request that stored no message: refused, or a test event."""

    source_id: int
    received_at: datetime
    status: int
    reason: str = ""
    size: int = 0
    is_test: bool = False
    reading: Mapping[str, Any] = field(default_factory=dict)


def store_unstored_requests(requests: Sequence[ReceivedRequest]) -> int:
    """Store the requests, delete older ones, and return the change number to broadcast."""
    with transaction.atomic():
        for source_id in sorted({request.source_id for request in requests}):
            UnstoredRequest.objects.bulk_create(
                UnstoredRequest(
                    source_id=source_id,
                    received_at=request.received_at,
                    status=request.status,
                    reason=request.reason.replace("\0", "")[:MAX_REASON_LENGTH],
                    size=request.size,
                    is_test=request.is_test,
                    reading=dict(request.reading),
                )
                for request in requests
                if request.source_id == source_id
            )
            _delete_all_but_newest(source_id)
        return append_changes({"source": [request.source_id for request in requests]})


def sign_test_header(slug: str) -> str:
    """Return the value of the header that marks a request to this source as a test."""
    return _signer().sign(slug)


def is_test_header_valid(text: str, slug: str) -> bool:
    """Whether the product itself marked the request to this source as a test just now."""
    try:
        return _signer().unsign(text, max_age=TEST_SECONDS) == slug
    except signing.BadSignature:
        return False


def _signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt="throughline test event")


def _delete_all_but_newest(source_id: int) -> None:
    ids = UnstoredRequest.objects.filter(source_id=source_id).order_by("-id")
    for oldest_stored in ids.values_list("id", flat=True)[STORED_REQUESTS - 1 : STORED_REQUESTS]:
        UnstoredRequest.objects.filter(source_id=source_id, id__lt=oldest_stored).delete()
