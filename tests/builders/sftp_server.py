"""A real SFTP server (asyncssh) on loopback with one folder, in a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.misc import MaybeAwait

USER, PASSWORD = "partner", "correct-horse"


def _name(path: bytes) -> str:
    return path.rpartition(b"/")[2].decode("utf-8", "replace")


class _FolderServer(asyncssh.SFTPServer):
    """Serves the folder as the root, and refuses what a test asks it to refuse."""

    def __init__(self, chan: asyncssh.SSHServerChannel[Any], server: "SftpTestServer") -> None:
        super().__init__(chan, chroot=str(server.root).encode())
        self.server = server

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        """Open a file, unless the user may not read it."""
        if _name(path) in self.server.unreadable:
            raise asyncssh.SFTPPermissionDenied("Permission denied")
        self.server.opened.append(_name(path))
        return super().open(path, pflags, attrs)

    def rename(self, oldpath: bytes, newpath: bytes) -> MaybeAwait[None]:
        """Rename a file, unless the user may only read."""
        if self.server.is_read_only:
            raise asyncssh.SFTPPermissionDenied("Permission denied")
        return super().rename(oldpath, newpath)


class _Accounts(asyncssh.SSHServer):
    """One user with a password, and the public keys of the server's test."""

    def __init__(self, server: "SftpTestServer") -> None:
        self.server = server

    def begin_auth(self, username: str) -> bool:
        self.server.sign_ins.append(username)
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self.server.passwords.append(password)
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key.get_fingerprint() in self.server.authorized


class SftpTestServer:
    """The server. `opened`: names of the files that were opened, in order."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.authorized: set[str] = set()
        self.unreadable: set[str] = set()
        self.is_read_only = False
        self.opened: list[str] = []
        self.sign_ins: list[str] = []
        self.passwords: list[str] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._acceptor: asyncssh.SSHAcceptor

    @property
    def fingerprint(self) -> str:
        return self.host_key.get_fingerprint()

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(20)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._acceptor.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)

    async def _listen(self) -> None:
        self._acceptor = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_host_keys=[self.host_key],
            server_factory=lambda: _Accounts(self),
            sftp_factory=lambda chan: _FolderServer(chan, self),
        )
        self.port = self._acceptor.get_port()


@contextmanager
def running_sftp_server(root: Path) -> Iterator[SftpTestServer]:
    """Run a server for a block."""
    server = SftpTestServer(root)
    server.start()
    try:
        yield server
    finally:
        server.stop()
