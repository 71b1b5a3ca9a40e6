"""The steps and the example request that are derived from a manifest."""

import subprocess
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from tests.unit.connectors.sdk.manifest.samples import NOW, changed, connector
from tests.unit.connectors.sdk.manifest.test_webhook_verification import BODY, METHODS, manifest

URL = "https://example.com/hooks/s"
TEXT_SECRET, ENCODED = "the-current-secret-of-this-test", "dGhlLWN1cnJlbnQtc2VjcmV0LW9mLXRlc3Q="
MORE = {
    "query": "{query_token: token}",
    "encoded": "{hmac: sha256, header: x-sig, secret: base64}",
    "quoted": "{hmac: sha256, header: x-sig, prefix: '\"$HOME`x`='}",
}
# Prints what it would send, one argument a line, at the time NOW.
CURL = (
    "curl() { printf '%s\\n' \"$@\"; }\n"
    f'date() {{ test "$*" = +%s && echo {int(NOW.timestamp())}; }}\n'
)


def sent(commands: str, secret: str, folder: Path) -> WebhookRequest:
    """Run the commands in a shell whose curl prints its arguments."""
    (folder / "message.json").write_bytes(BODY)
    script = CURL + commands.replace("the secret of this source", secret)
    printed = subprocess.run(  # commands of this test
        ["/bin/sh", "-c", script], cwd=folder, capture_output=True, check=True, text=True
    ).stdout.splitlines()
    pairs = list(pairwise(printed))
    headers = dict(value.split(": ", 1) for option, value in pairs if option == "-H")
    for option, value in pairs:
        if option == "-u":
            headers |= connector(manifest("{basic: yes}")).build_signed_headers(
                b"", value.encode(), NOW
            )
    assert ("--data-binary", "@message.json") in pairs
    url = urlsplit(printed[-1])
    return WebhookRequest("POST", url.path, dict(parse_qsl(url.query)), headers, BODY)


@pytest.mark.parametrize("name", [*METHODS, *MORE])
def test_the_example_request_is_accepted(name: str, tmp_path: Path) -> None:
    system = connector(manifest((METHODS | MORE)[name]))
    secret = f"whsec_{ENCODED}" if name == "standard" else TEXT_SECRET
    secret = ENCODED if name == "encoded" else secret
    request = sent(system.request_example(URL), secret, tmp_path)
    system.verify(request, [secret.encode()], NOW)
    with pytest.raises(InvalidSignature):
        system.verify(request, [b"another-secret-of-this-test"], NOW)


def test_the_steps_name_the_header_and_what_is_signed() -> None:
    steps = connector(manifest(METHODS["hex"])).derived_steps
    assert steps == (
        "Send each message with POST to the webhook URL, as JSON.",
        "Sign the body of each request by HMAC-SHA256 with the secret, and send the signature in "
        "hexadecimal after sha256= in the header x-sig.",
    )
    assert "in the header x-token" in connector(manifest(METHODS["token"])).derived_steps[1]


def test_files_and_polls_have_steps_without_a_request() -> None:
    receive = "receive: {webhook: {verify: {bearer: yes}}}"
    files = connector(changed((receive, "receive: {file: {pattern: 'SHIP_*.csv'}}")))
    assert files.derived_steps == (
        "Let the system place files whose names match SHIP_*.csv in the drop folder.",
    )
    assert files.request_example(URL) == ""
