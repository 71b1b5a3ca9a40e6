"""The settings with which a source receives from a message broker."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from connectors.sdk.load_plugins_of_package import load_plugins
from connectors.sdk.settings import (
    Setting,
    SettingError,
    SettingType,
    parse_and_check_settings,
)
from visibility.ingest import transports
from visibility.ingest.transport import QueueOptions, Transport
from visibility.outbound.broker_socket import (
    BrokerAddress,
    build_tls_context,
    normalize_pem,
    parse_broker_url,
)

PREFIX = "queue."
URL, NAME = "queue.url", "queue.name"
MAX_CLIENT_LENGTH = 200
MAX_PEM_LENGTH = 20_000


@lru_cache(maxsize=1)
def transport_registry() -> Mapping[str, type[Transport]]:
    """The transports by code. Raises InvalidPlugin."""
    return load_plugins(transports, Transport, "code")


def _default_ports() -> dict[str, int]:
    return {
        scheme: port
        for kind in transport_registry().values()
        for scheme, port in kind.default_ports.items()
    }


def transport_of_scheme(scheme: str) -> Transport:
    """Return the transport that a scheme of a URL chooses. Raises KeyError."""
    for kind in transport_registry().values():
        if scheme in kind.default_ports:
            return kind()
    raise KeyError(scheme)


def parse_queue_url(url: str) -> BrokerAddress:
    """Return the address in a URL. Raises ValueError."""
    address = parse_broker_url(url, _default_ports())
    if address.path and not transport_of_scheme(address.scheme).has_path:
        raise ValueError(f"An address with {address.scheme}:// has no path.")
    return address


def _check_client(text: str) -> None:
    if len(text) > MAX_CLIENT_LENGTH or not text.isprintable():
        raise ValueError(f"Enter at most {MAX_CLIENT_LENGTH} printable characters.")


def _pem_check(label: str) -> Callable[[str], object]:
    def check(text: str) -> None:
        if f"{label}-----" not in normalize_pem(text).partition("\n")[0]:
            raise ValueError(f"Enter a PEM text that starts with -----BEGIN {label}-----.")

    return check


COMMON = (
    Setting(
        URL,
        "The address of a message broker to receive from, such as amqps://mq.example.com/orders. "
        "Messages then come from its queue too, with the rights of the user below.",
        check=parse_queue_url,
        label="Broker URL",
    ),
    Setting(
        NAME,
        "The queue (AMQP), topic filter (MQTT) or topic (Kafka) to receive from. It must exist: "
        "nothing is created at the broker.",
        label="Queue or topic",
    ),
    Setting("queue.user", "The user at the broker.", label="Broker user"),
    Setting("queue.password", "Its password.", SettingType.SECRET, label="Broker password"),
    Setting(
        "queue.ca",
        "The certificate of the authority that signed that of the broker, in PEM. If it is not "
        "set, those that the server trusts.",
        check=build_tls_context,
        label="CA certificate of the broker",
        max_length=MAX_PEM_LENGTH,
    ),
    Setting(
        "queue.certificate",
        "A certificate that identifies Throughline to the broker, in PEM, if it asks for one.",
        check=_pem_check("CERTIFICATE"),
        label="Client certificate",
        max_length=MAX_PEM_LENGTH,
    ),
    Setting(
        "queue.certificate_key",
        "The private key of that certificate, in PEM, without a password.",
        SettingType.SECRET,
        check=_pem_check("PRIVATE KEY"),
        label="Key of the client certificate",
        max_length=MAX_PEM_LENGTH,
    ),
    Setting(
        "queue.client",
        "The name by which the broker knows this source: its connection (AMQP), client id (MQTT) "
        "or consumer group (Kafka). Two installations need different names. If it is not set: "
        "throughline- and the name of the source.",
        check=_check_client,
        label="Name at the broker",
    ),
)


@lru_cache(maxsize=1)
def queue_settings() -> tuple[Setting, ...]:
    """The settings of every source that can receive from a queue."""
    own = (s for _, kind in sorted(transport_registry().items()) for s in kind.settings)
    return (*COMMON, *own)


QUEUE_SETTING_NAMES = frozenset(setting.name for setting in COMMON)


def find_queue_setting_errors(config: Mapping[str, Any]) -> list[SettingError]:
    """Return what is wrong between the settings, each of which is valid by itself."""
    given = {name for name in config if name.startswith(PREFIX) and str(config[name]).strip()}
    if not given:
        return []
    if URL not in given:
        return [SettingError(URL, "Enter it too, or leave the other settings of the queue blank.")]
    try:
        address = parse_queue_url(str(config[URL]).strip())
    except ValueError:
        return []  # the setting has its own error
    transport = transport_of_scheme(address.scheme)
    errors = []
    if NAME not in given:
        errors.append(SettingError(NAME, "Enter the queue or topic to receive from."))
    else:
        try:
            transport.check_queue_name(str(config[NAME]).strip())
        except ValueError as error:
            errors.append(SettingError(NAME, str(error)))
    others = given - QUEUE_SETTING_NAMES - {setting.name for setting in transport.settings}
    errors += [
        SettingError(name, f"{transport.title} has no such setting. Leave it blank.")
        for name in sorted(others)
        if any(setting.name == name for setting in queue_settings())
    ]
    return errors + _tls_errors(config, given, address, transport)


def _tls_errors(
    config: Mapping[str, Any], given: set[str], address: BrokerAddress, transport: Transport
) -> list[SettingError]:
    names = ("queue.ca", "queue.certificate", "queue.certificate_key")
    used = [name for name in names if name in given]
    if not used:
        return []
    if address.scheme not in transport.tls_schemes:
        scheme = sorted(transport.tls_schemes)[0]
        return [SettingError(used[0], f"Certificates need TLS: start the URL with {scheme}://.")]
    if "queue.certificate_key" in given and "queue.certificate" not in given:
        return [SettingError("queue.certificate", "Enter the certificate of the key too.")]
    if used[-1] == "queue.certificate":
        return []  # its key is not among stored settings: the connection shows whether it fits
    try:
        build_tls_context(*(str(config.get(name, "")) for name in names))
    except ValueError as error:
        return [SettingError(used[-1], str(error))]
    return []


def has_queue(config: Mapping[str, Any]) -> bool:
    """Whether a source with these settings receives from a queue."""
    return bool(str(config.get(URL, "")).strip())


def build_queue_options(slug: str, config: Mapping[str, Any]) -> tuple[Transport, QueueOptions]:
    """Return the transport and options of a source. `config` includes the secret settings.

    Raises ValueError if a setting that was valid when it was entered is no longer valid.
    """
    own = {name: text for name, text in config.items() if name.startswith(PREFIX)}
    values = parse_and_check_settings(queue_settings(), own)
    for error in (*values.errors, *find_queue_setting_errors(own)):
        raise ValueError(f"{error.name}: {error.sentence}")
    address = parse_queue_url(values.text(URL))
    client = values.text("queue.client") or f"throughline-{slug}"
    return transport_of_scheme(address.scheme), QueueOptions(
        address, values.text(NAME), client, values
    )
