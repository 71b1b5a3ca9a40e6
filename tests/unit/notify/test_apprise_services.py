"""Each listed service of Apprise sends through the address guard, and reads no files."""

import ast
import importlib
import inspect
import socket
import sys
import tomllib
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from tests.unit.notify.channels.receivers import MESSAGE, settings_of
from visibility.launcher.instance_lock_and_environment import CHECKOUT
from visibility.notify import apprise_services
from visibility.notify.apprise_services import (
    MODULE_BY_SCHEME,
    REVIEWED_VERSION,
    SCHEMES_BY_MODULE,
    check_apprise_url,
    hide_url_components,
    open_service,
    schemes_of,
)
from visibility.notify.channel import DeliveryFailed
from visibility.notify.channels.apprise import Apprise
from visibility.outbound.guarded_requests_module import GUARDED_REQUESTS

METADATA = "169.254.169.254"
PHONES = "12025550123/12025550124"
UUID = "0123abcd-0123-0123-0123-0123456789ab"
KEY = "0123456789abcdef0123456789abcdef"
URLS = {
    "betterstack": "betterstack://abcdefghijklmnopqrstuvwx/ops@example.com",
    "clicksend": "clicksend://user:0123456789abcdef@12025550123",
    "custom_form": "forms://hooks.example.com/a",
    "custom_json": "jsons://hooks.example.com/a",
    "custom_xml": "xmls://hooks.example.com/a",
    "discord": "discord://123456789012345678/abcdefghijklmnopqrstuvwxyz",
    "goalert": f"goalerts://goalert.example.com/{UUID}",
    "google_chat": "gchat://workspace/webhookkey/webhooktoken",
    "gotify": "gotifys://gotify.example.com/AbCdEfGhIjKlMnO",
    "home_assistant": "hassios://ha.example.com/abcdefghijklmnopqrstuvwxyz",
    "ilert": "ilert://il1api0123456789abcdef",
    "incidentio": "incidentio://01ABCDEF/abcdef0123456789",
    "mattermost": "mmosts://chat.example.com/abcdefghijklmnopqrstuvwxyz",
    "messagebird": f"msgbird://abcdefghijklmnopqrstuvwxy/{PHONES}",
    "nextcloudtalk": "nctalks://user:password@cloud.example.com/roomid12",
    "ntfy": "ntfys://ntfy.example.com/orders",
    "opsgenie": f"opsgenie://{UUID}",
    "pagertree": "pagertree://int_0123456789",
    "plivo": f"plivo://MAABCDEFGHIJKLMNOPQRSTU@abcdefghijklmnopqrstuvwxyzabcdefghijklmn/{PHONES}",
    "prowl": "prowl://abcdefghijklmnopqrstuvwxyz0123456789abcd",
    "pushbullet": "pbul://abcdefghijklmnopqrstuvwxyz012345",
    "pushover": "pover://abcdefghijklmnopqrstuvwxyz0123@zyxwvutsrqponmlkjihgfedcba0123",
    "rocketchat": "rockets://abcdefghijklmnopq/ABCDEFGHIJKLMNOPQRSTUVWX@chat.example.com",
    "signal_api": f"signals://signal.example.com/{PHONES}",
    "signl4": "signl4://abcdef0123",
    "sinch": f"sinch://{KEY}:{KEY}@{PHONES}",
    "spike": f"spike://{KEY}",
    "splunk": f"splunk://routing@{UUID}",
    "squadcast": f"squadcast://{KEY}abcdef01",
    "synology": "synologys://nas.example.com/abcdefghijklmnop",
    "telegram": "tgram://123456789:abcdefghijklmnopqrstuvwxyz012345678/-1001234567890",
    "telnyx": f"telnyx://KEY0123456789abcdef@{PHONES}",
    "threema": "threema://*THREEMA@abcdef0123456789/12025550124",
    "twilio": f"twilio://AC{KEY}:{KEY}@{PHONES}",
    "vonage": f"vonage://abcdef01:abcdef0123456789@{PHONES}",
    "webexteams": f"wxteams://{KEY * 2}abcdefghijklmnop",
    "zulip": f"zulip://orders@example/{KEY}/orders",
}
# What a reviewed module may import, and why it may use the names that others may not.
PURE = {
    *("__future__", "base64", "collections.abc", "contextlib", "dataclasses", "datetime", "enum"),
    *("hashlib", "hmac", "html", "itertools", "json", "json.decoder", "locale", "logging", "math"),
    *("random", "re", "requests", "secrets", "string", "time", "typing", "urllib.parse", "uuid"),
    "xml.sax.saxutils",
}
FILE_NAMES = {"open", "AppriseAttachment", "os", "_os", "io", "eval", "exec", "__import__"}
ATTACHMENTS = "only for attachments: the channel sends none"
TEMPLATE = "for attachments, which the channel does not send, and `template`, which is refused"
REVIEWED = {
    "custom_form": {"open": ATTACHMENTS},
    "discord": {
        "open": TEMPLATE,
        "AppriseAttachment": TEMPLATE,
    },
    "mattermost": {"io": ATTACHMENTS},
    "ntfy": {"os.path": "the name of an attachment"},
    "pushbullet": {"open": ATTACHMENTS},
    "pushover": {
        "gzip": "compresses an encrypted text",
        "os": "random bytes",
        "_os": "random bytes",
        "cryptography": "encrypts a text",
    },
    "telegram": {
        "open": TEMPLATE,
        "os": ATTACHMENTS,
        "AppriseAttachment": TEMPLATE,
    },
}


@pytest.fixture(autouse=True)
def no_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test of this module may open a connection: not even a refused one."""
    opened: list[Any] = []

    def connect(_: socket.socket, address: Any) -> NoReturn:
        opened.append(address)
        raise ConnectionRefusedError(f"the test refuses {address}")

    monkeypatch.setattr(socket.socket, "connect", connect)
    yield
    assert opened == []


@pytest.fixture(autouse=True)
def no_allowed_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "visibility.outbound.address_guard.is_allowed_by_administrator"
    monkeypatch.setattr(name, lambda *_: False)


@pytest.mark.parametrize("name", SCHEMES_BY_MODULE)
def test_name_that_resolves_to_the_credential_server_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> Any:
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (METADATA, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    values = settings_of(Apprise(), place="x", url=URLS[name])
    with pytest.raises(DeliveryFailed, match="is not a public address"):
        Apprise().send(MESSAGE, values)
    assert looked_up


@pytest.mark.parametrize("name", SCHEMES_BY_MODULE)
def test_service_has_the_listed_schemes_and_sends_with_the_stand_in(name: str) -> None:
    kind = type(open_service(URLS[name]).target)
    assert schemes_of(kind) == set(SCHEMES_BY_MODULE[name])
    module = importlib.import_module(kind.__module__)
    assert vars(module)["requests"] is GUARDED_REQUESTS


@pytest.mark.parametrize("name", SCHEMES_BY_MODULE)
def test_module_imports_nothing_that_reaches_the_network_or_files(name: str) -> None:
    tree = ast.parse(inspect.getsource(importlib.import_module(f"apprise.plugins.{name}")))
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names} - PURE
            assert not [a for a in node.names if a.name == "requests" and a.asname]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            used |= {node.module or ""} - PURE
            assert node.module != "requests"
        elif isinstance(node, ast.Name):
            used |= {node.id} & FILE_NAMES
        elif isinstance(node, ast.Attribute):
            # Waiting is `throttle`, which is switched off.
            assert node.attr not in {"sleep", "Session"}
    reviewed = REVIEWED.get(name, {})
    assert {module.partition(".")[0] if "crypto" in module else module for module in used} == set(
        reviewed
    )


def test_no_module_of_apprise_that_is_loaded_has_the_real_requests() -> None:
    for url in URLS.values():
        open_service(url)
    loaded = {name: m for name, m in sys.modules.items() if name.startswith("apprise.")}
    assert len(loaded) > len(URLS)
    others = {name for name, m in loaded.items() if "requests" in vars(m)}
    assert {vars(loaded[name])["requests"] for name in others} == {GUARDED_REQUESTS}


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("json://169.254.169.254/latest", "The URL must begin with https://."),
        ("jsons://169.254.169.254/latest", "This address is refused"),
        ("jsons://2852039166/latest", "This address is refused"),
        ("gotifys://127.0.0.1/AbCdEfGhIjKlMnO", "This address is refused"),
        ("json://hooks.example.com/a", "The URL must begin with https://."),
        ("mailto://me:secret@example.com", "The URL must begin with one of"),
        ("syslog://localhost", "The URL must begin with one of"),
        ("https://example.com/a", "The URL must begin with one of"),
        ("discord://", "This is no URL of Discord. See https://appriseit.com/services/discord/."),
        ("tgram://wrong", "This is no URL of Telegram."),
        (f"{URLS['discord']}?template=/etc/passwd", "Remove template from the URL"),
        (f"{URLS['telegram']}?Template=https://example.com", "Remove template from the URL"),
        (f"msgbird://abcdefghijklmnopqrstuvwxy/{PHONES}/12025550125", "Enter one recipient"),
        (f"{URLS['twilio']}/12025550125", "Enter one recipient"),
    ],
)
def test_url_is_refused_with_a_sentence_without_the_secret(url: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_apprise_url(url)
    assert sentence in str(refused.value)
    for secret in ("latest", "secret@", "passwd", KEY, "abcdefghijklmno", "AbCdEfGhIjKlMnO"):
        assert secret not in str(refused.value)


def test_every_sample_url_is_accepted() -> None:
    assert URLS.keys() == SCHEMES_BY_MODULE.keys()
    assert len(MODULE_BY_SCHEME) > len(URLS)
    for url in URLS.values():
        check_apprise_url(url)


def test_tokens_that_a_server_repeats_are_hidden_and_the_server_is_named() -> None:
    url = "jsons://user:password@hooks.example.com/tok%20en12?+key=abcdef"
    text = "hooks.example.com answered: /tok en12 abcdef password"
    hidden = hide_url_components(text, url, shown="hooks.example.com")
    assert hidden == "hooks.example.com answered: /[secret] [secret] [secret]"


@pytest.mark.parametrize("version", ["", "2.2.0", "3.0.0", "2.30.1"])
def test_another_version_is_refused_with_the_command_that_installs_it(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apprise_services, "installed_version", lambda: version)
    with pytest.raises(ValueError, match="pip install") as refused:
        open_service(URLS["discord"])
    assert str(refused.value) == Apprise().not_installed_sentence()


def test_command_that_installs_it_names_the_version_of_the_extra() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    (extra,) = project["optional-dependencies"]["apprise"]
    assert f"pip install '{extra}'" == apprise_services.INSTALL
    assert REVIEWED_VERSION in extra
