"""Check, store, test and remove the mail server that an administrator enters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from connectors.sdk.given_values import read_given_values
from connectors.sdk.parse_setting_values import parse_integer, parse_storable_text
from connectors.sdk.settings import SettingError
from visibility.db.lock_keys import LockKey, lock_until_commit
from visibility.models.audit import append_audit_entry
from visibility.models.mail_server import MailSecurity, MailServer
from visibility.notify.channel import DeliveryFailed
from visibility.notify.channels.email import check_email_address
from visibility.notify.mail import (
    is_mail_server_in_environment,
    seal_mail_password,
    send_email,
    stored_mail_server,
)
from visibility.outbound.address_guard import ForbiddenAddress, resolve_mail_server

HOST, PASSWORD = "host", "password"  # names of fields
FIELDS = (HOST, "port", "security", "username", "sender")
MAX_LENGTHS = {HOST: 253, "username": 200, "sender": 250, PASSWORD: 500}
DEFAULT_PORT = 587


class InvalidMailServer(ValueError):
    """Values are invalid. `errors` names the fields and says why."""

    def __init__(self, errors: list[SettingError]) -> None:
        super().__init__(" ".join(error.sentence for error in errors))
        self.errors = tuple(errors)


class MailServerConflict(ValueError):
    """Somebody changed the mail server after it was read."""


@dataclass(frozen=True, slots=True)
class MailTestResult:
    """Whether the server accepted a test message, and its answer or the error."""

    is_accepted: bool
    detail: str


def current_mail_server() -> MailServer:
    """The stored server, or an unsaved one with version 0."""
    return MailServer.objects.first() or MailServer(
        id=1, host="", port=DEFAULT_PORT, security=MailSecurity.STARTTLS, sender="", version=0
    )


def change_mail_server(
    values: Mapping[str, object], *, version: int | None, by: User, now: datetime
) -> MailServer:
    """Change the given FIELDS and the password; a blank password leaves the stored one.

    A stored password is never used for another host. Nothing is written if nothing changes.
    `version`: the one that the user saw; None skips the check. Raises InvalidMailServer and
    MailServerConflict.
    """
    with transaction.atomic():
        lock_until_commit(LockKey.MAIL_SERVER)
        row = current_mail_server()
        if version is not None and version != row.version:
            raise MailServerConflict(
                f"The mail server was changed meanwhile; its version is {row.version} now."
            )
        before = {name: getattr(row, name) for name in FIELDS}
        password = _apply(row, values if row.version else {**before, **values})
        after = {name: getattr(row, name) for name in FIELDS}
        changed = [name for name in FIELDS if after[name] != before[name]]
        changed += [PASSWORD] if password is not None else []
        if not changed and row.version:
            return row
        if password is not None:
            row.sealed_password = seal_mail_password(password)
        row.tested_at, row.version = None, row.version + 1
        row.save()
        _audit("mail_server.changed", by, now, {"changed": changed, "server": str(row)})
    return row


def remove_mail_server(*, by: User, now: datetime) -> bool:
    """Remove the server and its password; return whether there was one."""
    with transaction.atomic():
        lock_until_commit(LockKey.MAIL_SERVER)
        row = MailServer.objects.first()
        if row is None:
            return False
        row.delete()
        _audit("mail_server.removed", by, now, {"server": str(row)})
    return True


def send_test_email(to: str, *, by: User, now: datetime) -> MailTestResult:
    """Send a test message through the server in use. Raises InvalidMailServer for the address."""
    try:
        check_email_address(to)
    except ValueError as error:
        raise InvalidMailServer([SettingError("to", str(error))]) from None
    server = stored_mail_server()
    if server is None and not is_mail_server_in_environment():
        return MailTestResult(False, "There is no mail server yet. Enter one first.")
    try:
        answer = send_email(
            "Test message from Throughline",
            "This is a test. Email of Throughline arrives at this address.\n",
            to,
        )
        result = MailTestResult(True, answer or "The server accepted the test message.")
    except DeliveryFailed as error:
        result = MailTestResult(False, str(error))
    if server is not None:
        tested_at = now if result.is_accepted else None
        MailServer.objects.filter(version=server.version).update(tested_at=tested_at)
    _audit("mail_server.tested", by, now, {"accepted": result.is_accepted})
    return result


def _apply(row: MailServer, values: Mapping[str, object]) -> str | None:
    """Set the values; return the new password, None if it stays. Raises InvalidMailServer."""
    host_before = row.host
    read, errors = read_given_values(values, READERS)
    for name in FIELDS:
        if name in read:
            setattr(row, name, read[name])
    password: str | None = read.get(PASSWORD) or None
    if not errors:
        errors += _errors_of_address(row) + _errors_of_password(row, password, host_before)
    if errors:
        raise InvalidMailServer(errors)
    return "" if not row.username and row.sealed_password else password


def _errors_of_address(row: MailServer) -> list[SettingError]:
    try:
        resolve_mail_server(row.host, row.port)
    except ForbiddenAddress as error:
        return [SettingError(HOST, f"This address is refused: {error}.")]
    except ConnectionError:
        return []  # the test says so; the name may resolve later
    return []


def _errors_of_password(
    row: MailServer, password: str | None, host_before: str
) -> list[SettingError]:
    has_password = bool(password or row.sealed_password)
    if password and not row.username:
        return [SettingError("username", "Enter the username of the password.")]
    if row.username and has_password and row.security == MailSecurity.NONE:
        sentence = "Without encryption, the password would be readable on the network."
        return [SettingError("security", sentence)]
    if row.username and row.sealed_password and not password and row.host != host_before:
        sentence = "Enter the password again: the stored one belongs to another host."
        return [SettingError(PASSWORD, sentence)]
    return []


def _read_text(name: str) -> Callable[[object], str]:
    def read(raw: object) -> str:
        text = parse_storable_text(str(raw or "").strip())
        if len(text) > MAX_LENGTHS[name] or not text.isprintable():
            raise ValueError(f"Enter at most {MAX_LENGTHS[name]} characters on one line.")
        return text

    return read


def _read_host(raw: object) -> str:
    host = _read_text(HOST)(raw).lower()
    if not host or any(sign in host for sign in "/@ :"):
        raise ValueError("Enter a host name such as smtp.example.com, or an IPv4 address.")
    return host


def _read_port(raw: object) -> int:
    port = parse_integer(str(raw).strip())
    if not 1 <= port <= 65_535:
        raise ValueError("Enter a port from 1 to 65535.")
    return port


def _read_security(raw: object) -> str:
    if raw not in MailSecurity.values:
        raise ValueError(f"Choose {', '.join(MailSecurity.values)}.")
    return str(raw)


def _read_sender(raw: object) -> str:
    text = _read_text("sender")(raw)
    check_email_address(text)
    return text


READERS: Mapping[str, Callable[[object], Any]] = {
    HOST: _read_host,
    "port": _read_port,
    "security": _read_security,
    "username": _read_text("username"),
    "sender": _read_sender,
    PASSWORD: _read_text(PASSWORD),
}


def _audit(action: str, by: User, now: datetime, detail: Mapping[str, Any]) -> None:
    """Add an audit entry. It never contains the password."""
    append_audit_entry(action, user=by, object="mail server", detail=dict(detail), now=now)
