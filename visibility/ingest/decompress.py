"""Decompress gzip bodies, with limits on their size and on the number of gzip members."""

import zlib

from connectors.sdk.payload import ParkReason, PayloadError

MAX_BYTES = 10_485_760
MAX_MEMBERS = 16


def decompress(body: bytes, headers: dict[str, str]) -> bytes:
    """Return the body without its content encoding.

    Messages are stored as received, because signatures cover the compressed bytes. Raises
    PayloadError if the body is not valid gzip or is too large.
    """
    if headers.get("content-encoding", "").strip().lower() not in {"gzip", "x-gzip"}:
        return body
    plain, remainder = b"", body
    for _ in range(MAX_MEMBERS):  # a gzip stream may consist of several members
        decompressor = zlib.decompressobj(wbits=31)
        try:
            plain += decompressor.decompress(remainder, MAX_BYTES + 1 - len(plain))
        except zlib.error:
            detail = "the header says gzip, but the body is not valid gzip"
            raise PayloadError(ParkReason.SYNTAX, "", detail) from None
        if len(plain) > MAX_BYTES:
            raise PayloadError(ParkReason.SIZE, "", "the decompressed body is larger than 10 MiB")
        if not decompressor.eof:
            raise PayloadError(ParkReason.SYNTAX, "", "the gzip body is truncated")
        remainder = decompressor.unused_data
        if not remainder:
            return plain
    detail = f"the gzip body has more than {MAX_MEMBERS} members"
    raise PayloadError(ParkReason.SYNTAX, "", detail)
