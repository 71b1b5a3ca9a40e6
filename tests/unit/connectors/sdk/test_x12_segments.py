"""X12 text is decoded, or rejected with a reason."""

import pytest

from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.x12_segments import decode_text


def test_empty_file_and_wrong_charset_have_their_own_reasons() -> None:
    for body, reason in ((b" \n", ParkReason.EMPTY), (b"ISA\xff", ParkReason.ENCODING)):
        with pytest.raises(PayloadError) as caught:
            decode_text(body)
        assert caught.value.reason is reason
    assert decode_text(b"M\xdcLLER", "cp1252") == "MÜLLER"
