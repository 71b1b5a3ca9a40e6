"""What is needed to read a folder on an SFTP server, and what can fail. It loads no SSH library."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SftpAccess:
    """How to reach the folder. `host_keys`: confirmed fingerprints such as `SHA256:...`."""

    host: str
    port: int
    user: str
    folder: str
    host_keys: tuple[str, ...] = ()
    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        """The folder as an address without the user."""
        port = "" if self.port == 22 else f":{self.port}"
        return f"sftp://{self.host}{port}/{self.folder.lstrip('/')}"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of the folder: its name, its size in bytes, and its time in Unix seconds."""

    name: str
    size: int
    modified: int

    @property
    def displayed_name(self) -> str:
        """The name as text: bytes that are not UTF-8 and NUL are replaced."""
        raw = self.name.encode("utf-8", "surrogateescape")
        return raw.decode("utf-8", "replace").replace("\0", "\ufffd")[:200]


class SftpFailure(ConnectionError):
    """The server or the folder cannot be used; the message says why."""


class UnconfirmedHostKey(SftpFailure):
    """Nobody has confirmed the host key of the server yet. `fingerprint`: the one it has."""

    def __init__(self, host: str, fingerprint: str, algorithm: str) -> None:
        super().__init__(
            f"{host} has the host key {fingerprint} ({algorithm}), which nobody has confirmed. "
            "Compare it with what the operator of the server tells you, then confirm it"
        )
        self.fingerprint = fingerprint


class RemoteFileFailure(Exception):
    """One file cannot be read, moved or deleted; the message says why. Others can."""
