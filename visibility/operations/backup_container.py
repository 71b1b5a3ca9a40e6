"""The file of a backup: a ZIP with a key for the passphrase and the data for that key.

    README.txt             how to open it without this product
    key.age                an age identity, encrypted with the passphrase (scrypt)
    backup.tar.gz.age      a compressed tar, encrypted for that identity (X25519)

Both are files in the format of age (https://age-encryption.org/v1), which detects any change.
"""

import os
import tarfile
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from gzip import GzipFile
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

import pyrage  # type: ignore[import-untyped]  # it has no types

KEY, DATA, README = "key.age", "backup.tar.gz.age", "README.txt"
README_TEXT = """\
A backup of Throughline. Restore it with `python3 manage.py restore FILE`.

To read it without Throughline, use age (https://age-encryption.org):

    unzip FILE
    age --decrypt --output key.txt key.age
    age --decrypt --identity key.txt --output backup.tar.gz backup.tar.gz.age

It contains the tables as text of PostgreSQL's COPY, and the secret key of the installation.
"""
MIN_PASSPHRASE = 12


class BackupError(Exception):
    """A backup cannot be written or read; the message says why."""


@contextmanager
def new_backup(path: Path, passphrase: str) -> Generator[tarfile.TarFile]:
    """A tar to which the caller adds members. `path` exists only once all of it is on the disk.

    Raises:
        BackupError: the file exists, or the passphrase is too short.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise BackupError(f"A passphrase needs at least {MIN_PASSPHRASE} characters.")
    if path.exists():
        raise BackupError(f"{path} exists. Choose another name.")
    partial = path.with_name(f"{path.name}.partial")
    identity = pyrage.x25519.Identity.generate()
    try:
        with _create_private(partial) as file, ZipFile(file, "w") as archive:
            archive.writestr(README, README_TEXT)
            archive.writestr(KEY, pyrage.passphrase.encrypt(str(identity).encode(), passphrase))
            with archive.open(DATA, "w", force_zip64=True) as encrypted:

                def encrypt(plain: IO[bytes]) -> None:
                    pyrage.encrypt_io(plain, encrypted, [identity.to_public()])

                with (
                    _pipe_to(encrypt) as plain,
                    GzipFile(fileobj=plain, mode="wb", compresslevel=4) as compressed,
                    tarfile.open(fileobj=compressed, mode="w|") as members,
                ):
                    yield members
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def open_backup(path: Path, passphrase: str) -> Generator[tarfile.TarFile]:
    """The tar of a backup, to be read once from begin to end.

    Raises:
        BackupError: the file is no backup or was changed, or the passphrase is wrong.
    """
    try:
        archive = ZipFile(path)
    except BadZipFile as error:
        raise BackupError(f"{path} is not a backup of this product, or incomplete.") from error
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror}") from error
    try:
        with archive, archive.open(DATA) as encrypted:
            identity = _read_identity(archive, passphrase)

            def decrypt(plain: IO[bytes]) -> None:
                pyrage.decrypt_io(encrypted, plain, [identity])

            with (
                _pipe_from(decrypt) as plain,
                tarfile.open(fileobj=plain, mode="r|gz") as members,
            ):
                yield members
    except KeyError as error:
        raise BackupError(f"{path} is not a backup of this product.") from error
    except (BadZipFile, tarfile.TarError, EOFError, OSError, pyrage.DecryptError) as error:
        raise BackupError(f"{path} is damaged: {error}") from error


def add_member(members: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file, readable by its owner only."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    members.addfile(member, BytesIO(content))


def read_members(members: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    """Each file in turn: its name and its content, which is only readable until the next one."""
    for member in members:
        content = members.extractfile(member)
        if content is None:
            raise BackupError(f"{member.name} is not a file.")
        yield member.name, content


def _create_private(path: Path) -> IO[bytes]:
    path.unlink(missing_ok=True)
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror}") from error


def _read_identity(archive: ZipFile, passphrase: str) -> Any:
    try:
        text = pyrage.passphrase.decrypt(archive.read(KEY), passphrase).decode()
    except pyrage.DecryptError as error:
        raise BackupError("The passphrase is wrong.") from error
    return pyrage.x25519.Identity.from_str(text)


@contextmanager
def _pipe_to(consume: Callable[[IO[bytes]], None]) -> Generator[IO[bytes]]:
    """A file to write to; another thread gets what is written, and its failure is raised here."""
    with _other_end(consume, is_reader=True) as plain:
        yield plain


@contextmanager
def _pipe_from(produce: Callable[[IO[bytes]], None]) -> Generator[IO[bytes]]:
    """A file to read what another thread writes; its failure is raised here."""
    with _other_end(produce, is_reader=False) as plain:
        yield plain


@contextmanager
def _other_end(run: Callable[[IO[bytes]], None], *, is_reader: bool) -> Generator[IO[bytes]]:
    reading, writing = os.pipe()
    mine, other = (writing, reading) if is_reader else (reading, writing)
    failures: list[BaseException] = []

    def work() -> None:
        with os.fdopen(other, "rb" if is_reader else "wb") as file:
            try:
                run(file)
            except BaseException as error:  # raised in the caller's thread
                failures.append(error)

    thread = threading.Thread(target=work, name="backup")
    thread.start()
    failed = True
    try:
        with os.fdopen(mine, "wb" if is_reader else "rb") as file:
            yield file
        failed = False
    except BrokenPipeError:
        # The other thread ended first: its failure says why.
        thread.join()
        if not failures:
            raise
    finally:
        thread.join()
        # A reader that stopped early closed the pipe, and that is no failure of its own.
        if failures and not (failed and isinstance(failures[0], BrokenPipeError)):
            raise failures[0]
