"""The addresses of this installation as a SAML service provider."""

from django.conf import settings

START_PATH = "/signin/single-sign-on/saml"
RESPONSE_PATH = f"{START_PATH}/response"
FINISH_PATH = f"{START_PATH}/finish"
METADATA_PATH = f"{START_PATH}/metadata"


def own_entity_id() -> str:
    """The name of this installation at the provider: the address of its metadata."""
    return _public(METADATA_PATH)


def response_address() -> str:
    """The assertion consumer service, to which the provider sends its answer."""
    return _public(RESPONSE_PATH)


def _public(path: str) -> str:
    return settings.PUBLIC_URL.rstrip("/") + path
