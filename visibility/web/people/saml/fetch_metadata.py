"""Fetch the metadata of an identity provider with the guarded client."""

import requests
from allauth.socialaccount.adapter import get_adapter

from visibility.web.people.saml.provider_metadata import InvalidMetadata

MAX_DETAIL_LENGTH = 300


def fetch_metadata(address: str) -> bytes:
    """The document at an address that passes the address guard. Raises InvalidMetadata."""
    try:
        with get_adapter().get_requests_session() as session:
            response = session.get(address, headers={"Accept": "application/samlmetadata+xml"})
    except requests.RequestException as error:
        text = str(error)[:MAX_DETAIL_LENGTH].rstrip(".")
        raise InvalidMetadata(f"The metadata cannot be read from {address}: {text}.") from error
    if response.status_code != 200:
        raise InvalidMetadata(
            f"{address} answered with status {response.status_code} instead of the metadata."
        )
    content: bytes = response.content
    return content
