"""A connection to an SFTP server, for one thread: to checked addresses and confirmed keys only.

asyncssh needs 30 MB and half a second to load, so this module is imported by the processes that
open a connection, and not before.
"""

import asyncio
import posixpath
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, Self, TypeVar

import asyncssh
from asyncssh.constants import FILEXFER_TYPE_REGULAR, FILEXFER_TYPE_UNKNOWN

from visibility.outbound.address_guard import (
    SMTP_PORT,
    ForbiddenAddress,
    resolve_to_allowed_ip_addresses,
)
from visibility.outbound.sftp_access import (
    RemoteFile,
    RemoteFileFailure,
    SftpAccess,
    SftpFailure,
    UnconfirmedHostKey,
)

Result = TypeVar("Result")
# For the connection, the keys and the sign-in together, and for a listing.
CONNECT_SECONDS, LIST_SECONDS = 15.0, 20.0
# For one file: to read it, and to look at it, move or delete it.
READ_SECONDS, FILE_SECONDS = 30.0, 10.0
CLOSE_SECONDS = 3.0
MAX_FILES = 20_000
MAX_NAMES_TRIED = 100

# It logs each connection, with user names.
asyncssh.set_log_level("WARNING")


class _HostKeyCheck(asyncssh.SSHClient):
    """Accepts only confirmed host keys, before anything secret is sent."""

    def __init__(self, confirmed: Sequence[str]) -> None:
        self.confirmed = confirmed
        self.offered: asyncssh.SSHKey | None = None

    def validate_host_public_key(
        self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Whether the fingerprint of the key is confirmed."""
        self.offered = key
        return key.get_fingerprint() in self.confirmed


class SftpConnection:
    """One open connection, as a context manager. Methods raise SftpFailure.

    Those about one file raise RemoteFileFailure if only that file cannot be used.
    """

    def __init__(self, access: SftpAccess) -> None:
        self._access = access
        self._runner = asyncio.Runner()
        self._check = _HostKeyCheck(access.host_keys)
        self._ssh: asyncssh.SSHClientConnection
        self._sftp: asyncssh.SFTPClient

    def __enter__(self) -> Self:
        """Connect. Raises ForbiddenAddress for an address that is not allowed."""
        host, port = self._access.host, self._access.port
        if port == SMTP_PORT:
            raise ForbiddenAddress("port 25 is not allowed")
        addresses = resolve_to_allowed_ip_addresses(host, port)
        try:
            self._run(self._connect(addresses), CONNECT_SECONDS)
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        try:
            with suppress(SftpFailure):
                self._run(self._close(), CLOSE_SECONDS)
        finally:
            self._runner.close()

    def list_files(self) -> list[RemoteFile]:
        """List the regular files whose names do not begin with a period, the oldest first."""
        try:
            return self._run(self._list(), LIST_SECONDS)
        except RemoteFileFailure as error:
            raise SftpFailure(f"the folder {self._access.folder}: {error}") from None

    def stat(self, name: str) -> RemoteFile:
        """Look at a file once more."""
        return self._run(self._stat(name), FILE_SECONDS)

    def read(self, name: str, limit: int) -> bytes:
        """Read at most `limit` bytes of a file."""
        return self._run(self._read(name, limit), READ_SECONDS)

    def move(self, name: str, folder: str) -> None:
        """Move a file into a folder, which is created, under a name that is not used there."""
        self._run(self._move(name, folder), FILE_SECONDS)

    def delete(self, name: str) -> None:
        """Delete a file."""
        self._run(self._sftp.remove(self._path(name)), FILE_SECONDS)

    def _run(self, coroutine: Coroutine[Any, Any, Result], seconds: float) -> Result:
        host = self._access.host
        try:
            return self._runner.run(asyncio.wait_for(coroutine, seconds))
        except TimeoutError:
            raise SftpFailure(f"{host} did not finish within {seconds:.0f} s") from None
        except asyncssh.HostKeyNotVerifiable as error:
            raise self._host_key_failure(error) from None
        except asyncssh.PermissionDenied:
            detail = "check the user, and the password or key"
            raise SftpFailure(f"{host} refuses the user {self._access.user}: {detail}") from None
        except (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost) as error:
            raise SftpFailure(f"{host} ended the connection: {error.reason}") from None
        except asyncssh.SFTPError as error:
            raise RemoteFileFailure(error.reason or type(error).__name__) from None
        except asyncssh.Error as error:
            raise SftpFailure(f"{host}: {error.reason or type(error).__name__}") from None
        except OSError as error:
            raise SftpFailure(f"{host}: {error.strerror or error}") from None

    def _host_key_failure(self, error: asyncssh.HostKeyNotVerifiable) -> SftpFailure:
        key = self._check.offered
        if key is None:
            return SftpFailure(f"{self._access.host}: {error.reason}")
        fingerprint, algorithm = key.get_fingerprint(), key.get_algorithm()
        if not self._access.host_keys:
            return UnconfirmedHostKey(self._access.host, fingerprint, algorithm)
        return SftpFailure(
            f"{self._access.host} has another host key than the confirmed one: {fingerprint} "
            f"({algorithm}). Nothing was sent to it. Ask its operator whether the key was replaced"
        )

    async def _connect(self, addresses: Sequence[str]) -> None:
        access = self._access
        keys = [asyncssh.import_private_key(access.private_key)] if access.private_key else None
        failure: OSError = ConnectionError(f"{access.host} has no address")
        for address in addresses:
            try:
                self._ssh = await asyncssh.connect(
                    address,
                    access.port,
                    username=access.user,
                    password=access.password or None,
                    client_keys=keys,
                    client_factory=lambda: self._check,
                    # No key is known, so that the check is asked about every key.
                    known_hosts=([], [], []),
                    server_host_key_algs="default",
                    x509_trusted_certs=None,
                    # Nothing of the account of this process: no files of ~/.ssh, and no agent.
                    config=None,
                    agent_path=None,
                    gss_host=None,
                    disable_trivial_auth=True,
                )
            except OSError as error:
                failure = error
                continue
            self._sftp = await self._ssh.start_sftp_client(path_errors="surrogateescape")
            return
        raise failure

    async def _close(self) -> None:
        self._sftp.exit()
        self._ssh.close()
        await self._ssh.wait_closed()

    async def _list(self) -> list[RemoteFile]:
        files: list[RemoteFile] = []
        async for entry in self._sftp.scandir(self._access.folder):
            name, attributes = str(entry.filename), entry.attrs
            if attributes.type not in {FILEXFER_TYPE_REGULAR, FILEXFER_TYPE_UNKNOWN}:
                continue
            if name.startswith(".") or "/" in name or "\0" in name:
                continue
            if len(files) >= MAX_FILES:
                raise SftpFailure(f"the folder has more than {MAX_FILES} files")
            files.append(_remote_file(name, attributes))
        return sorted(files, key=lambda file: (file.modified, file.name))

    async def _stat(self, name: str) -> RemoteFile:
        return _remote_file(name, await self._sftp.stat(self._path(name)))

    async def _read(self, name: str, limit: int) -> bytes:
        async with self._sftp.open(self._path(name), "rb") as file:
            content: Any = await file.read(limit)
            return bytes(content)

    async def _move(self, name: str, folder: str) -> None:
        target = posixpath.join(self._access.folder, folder)
        await self._sftp.makedirs(target, exist_ok=True)
        for count in range(MAX_NAMES_TRIED):
            path = posixpath.join(target, f"{name}.{count}" if count else name)
            if not await self._sftp.exists(path):
                await self._sftp.rename(self._path(name), path)
                return
        raise RemoteFileFailure(f"{folder} has {MAX_NAMES_TRIED} files with this name")

    def _path(self, name: str) -> str:
        return posixpath.join(self._access.folder, name)


def _remote_file(name: str, attributes: asyncssh.SFTPAttrs) -> RemoteFile:
    return RemoteFile(name, attributes.size or 0, attributes.mtime or 0)
