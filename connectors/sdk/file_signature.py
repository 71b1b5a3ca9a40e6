"""Authentication of files sent over HTTP: a bearer token, or an HMAC of the body in a header."""

from collections.abc import Sequence

from connectors.sdk import auth
from connectors.sdk.webhook_and_poll_types import WebhookRequest

SIGNATURE = "x-throughline-signature"


def verify_file_signature_or_token(request: WebhookRequest, secrets: Sequence[bytes]) -> None:
    """Check `sha256=<hex HMAC of the body>` or a bearer token. Raises InvalidSignature."""
    token = auth.bearer_token(request.headers)
    signature = request.headers.get(SIGNATURE, "")
    if signature:
        if not signature.startswith("sha256="):
            raise auth.InvalidSignature("the signature does not start with sha256=")
        auth.check_hex_signature(signature.removeprefix("sha256="), secrets, request.body)
    elif token:
        auth.check_token_matches_a_secret(token, secrets)
    else:
        raise auth.InvalidSignature("the signature or bearer token is missing")


def build_file_signature_header(body: bytes, secret: bytes) -> dict[str, str]:
    """Return the signature header of a body."""
    return {SIGNATURE: f"sha256={auth.hmac_sha256(secret, body).hex()}"}
