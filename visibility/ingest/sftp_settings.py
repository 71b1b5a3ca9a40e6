"""The settings of a source whose files are read from a folder on an SFTP server."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

from connectors.sdk.connector import Connector
from connectors.sdk.parse_setting_values import parse_duration
from connectors.sdk.settings import Setting, SettingError, SettingType
from visibility.models.sources_and_messages import DROP_FOLDER_SETTING, SFTP_HOST_SETTING
from visibility.outbound.sftp_access import SftpAccess

USER, PASSWORD, PRIVATE_KEY = "sftp_user", "sftp_password", "sftp_private_key"
HOST_KEY = "sftp_host_key"
LEAVE, MOVE, DELETE = "leave", "move", "delete"
MAX_KEY_LENGTH = 20_000
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?")
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
PEM = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----(.+?)-----END \1-----", re.DOTALL)
PEM_LINE_LENGTH = 64


def _check_host(text: str) -> None:
    if not HOST.fullmatch(text):
        raise ValueError("Enter a host name or an IP address, without sftp:// and without a path.")


def _check_host_keys(text: str) -> None:
    if not all(FINGERPRINT.fullmatch(key) for key in host_keys_of_text(text)):
        raise ValueError(
            "Enter the fingerprint as ssh-keygen shows it: SHA256: and 43 characters. Several are "
            "separated by blanks."
        )


def _check_folder(text: str) -> None:
    if "\0" in text or any(name == ".." for name in text.split("/")):
        raise ValueError("Enter a path without '..'.")


def _check_private_key(text: str) -> None:
    key = normalize_private_key(text).encode()
    load = load_ssh_private_key if b"OPENSSH" in key[:40] else load_pem_private_key
    try:
        load(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(
            "This is not a private key in the format of OpenSSH or PEM, or it has a passphrase. "
            "Enter a key without one that only this source uses."
        ) from None


def normalize_private_key(text: str) -> str:
    """Return a key with its line ends, which some forms and shells remove."""
    match = PEM.search(text)
    if match is None:
        return text
    content = "".join(match[2].split())
    lines = re.findall(f".{{1,{PEM_LINE_LENGTH}}}", content)
    return "\n".join([f"-----BEGIN {match[1]}-----", *lines, f"-----END {match[1]}-----", ""])


def host_keys_of_text(text: str) -> tuple[str, ...]:
    """Return the fingerprints of the setting."""
    return tuple(text.replace(",", " ").split())


SFTP_SETTINGS = (
    Setting(
        SFTP_HOST_SETTING,
        "The SFTP server from which the files of this source are read, instead of a drop folder.",
        check=_check_host,
        label="SFTP server",
    ),
    Setting(
        "sftp_port",
        "The port of the SFTP server.",
        SettingType.INTEGER,
        default="22",
        minimum=1,
        maximum=65_535,
        label="SFTP port",
    ),
    Setting(USER, "The user at the SFTP server.", label="SFTP user"),
    Setting(
        PASSWORD,
        "The password of that user, unless a private key is used.",
        SettingType.SECRET,
        label="SFTP password",
    ),
    Setting(
        PRIVATE_KEY,
        "The private key of that user in the format of OpenSSH or PEM, without a passphrase. "
        "Enter its public key at the server.",
        SettingType.SECRET,
        check=_check_private_key,
        max_length=MAX_KEY_LENGTH,
        label="SFTP private key",
    ),
    Setting(
        HOST_KEY,
        "The fingerprint of the host key of the server, such as SHA256:... Test the connection to "
        "see it, compare it with what the operator of the server tells you, and confirm it. "
        "Without it nothing is read.",
        check=_check_host_keys,
        label="SFTP host key",
    ),
    Setting(
        "sftp_folder",
        "The folder on the SFTP server. Folders in it are not read.",
        default=".",
        check=_check_folder,
        label="SFTP folder",
    ),
    Setting(
        "sftp_pattern",
        "Which files are read, such as SHIP_*.csv. Without it: those that the connector names, or "
        "all.",
        label="SFTP file names",
    ),
    Setting(
        "sftp_afterwards",
        "What happens to a file on the server once it is stored here.",
        SettingType.CHOICE,
        default=LEAVE,
        choices=(LEAVE, MOVE, DELETE),
        label="After reading a file",
    ),
    Setting(
        "sftp_archive",
        "The folder into which files are moved, if they are moved. It is created in the folder.",
        default="archive",
        check=_check_folder,
        label="SFTP archive folder",
    ),
    Setting(
        "sftp_settle",
        "How long the size and the time of a file must stay the same before it is read, because it "
        "may still be written.",
        SettingType.DURATION,
        default="10 s",
        label="SFTP settle time",
    ),
)
DEFAULTS = {setting.name: setting.default for setting in SFTP_SETTINGS}


@dataclass(frozen=True, slots=True)
class SftpFolder:
    """A folder to read, which files of it, and what happens to them afterwards."""

    access: SftpAccess
    pattern: str
    afterwards: str
    archive: str
    settle: timedelta


def sftp_folder_of_settings(
    config: Mapping[str, Any], secrets: Mapping[str, str], *, pattern: str
) -> SftpFolder:
    """Return the folder. `pattern`: of the connector. The settings were checked when entered."""

    def text(name: str) -> str:
        return str(config.get(name) or DEFAULTS.get(name, "")).strip()

    return SftpFolder(
        SftpAccess(
            host=text(SFTP_HOST_SETTING),
            port=int(text("sftp_port")),
            user=text(USER),
            folder=text("sftp_folder"),
            host_keys=host_keys_of_text(text(HOST_KEY)),
            password=secrets.get(PASSWORD, ""),
            private_key=normalize_private_key(secrets.get(PRIVATE_KEY, "")),
        ),
        text("sftp_pattern") or pattern,
        text("sftp_afterwards"),
        text("sftp_archive"),
        parse_duration(text("sftp_settle")),
    )


def find_sftp_setting_errors(
    connector: type[Connector], config: Mapping[str, Any]
) -> tuple[SettingError, ...]:
    """Return what is missing or contradicts itself. Single values are checked elsewhere."""
    if not str(config.get(SFTP_HOST_SETTING, "")).strip():
        return ()
    if not connector.accepts_files or connector.polls:
        sentence = f"{connector.title} does not read files from an SFTP server."
        return (SettingError(SFTP_HOST_SETTING, sentence),)
    errors = []
    if config.get(DROP_FOLDER_SETTING):
        sentence = "Files come from an SFTP server or from a drop folder, not from both."
        errors.append(SettingError(SFTP_HOST_SETTING, sentence))
    if not config.get(USER):
        errors.append(SettingError(USER, "Enter the user at the SFTP server."))
    if not config.get(PASSWORD) and not config.get(PRIVATE_KEY):
        errors.append(SettingError(PASSWORD, "Enter a password or a private key."))
    return tuple(errors)
