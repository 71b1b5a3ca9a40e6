"""Errors in files of several documents name the document."""

from connectors.sdk.payload import PayloadError


def with_document_path(error: PayloadError, path: str) -> PayloadError:
    """Add the document, such as `ST 850 0001`, to the path of an error that does not name it."""
    if path in error.path:
        return error
    return PayloadError(error.reason, f"{path} {error.path}".strip(), error.detail)
