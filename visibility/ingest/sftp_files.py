"""Read the files of a folder on an SFTP server, as pages of a poll.

A page has some files. It is stored and committed before they are moved or deleted on the server.
The cursor names the files that were read, so that a file whose move was interrupted is moved later
without being read a second time; without its cursor, its content shows that it is a duplicate.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Protocol

import orjson
from django.conf import settings

from connectors.catalog import connectors_by_slug
from connectors.sdk.webhook_and_poll_types import PolledPage, PolledRecord
from visibility.ingest.file_drop import TOO_LARGE, UNFINISHED_SUFFIXES
from visibility.ingest.sftp_settings import DELETE, LEAVE, SftpFolder, sftp_folder_of_settings
from visibility.ingest.source_failures import record_file_error
from visibility.ingest.source_secrets import decrypt_secrets, secret_setting_values_by_name
from visibility.models.sources_and_messages import Source
from visibility.outbound.sftp_access import RemoteFile, RemoteFileFailure, SftpAccess

FILES_PER_PAGE = 10
PAGE_BYTES = 10_485_760
# A round reads so many files; the next one continues.
MAX_FILES = 200
# A page ends after so many seconds, and so do the moves that follow it: less than the lease.
PAGE_SECONDS = 15.0


class OpenFolder(Protocol):
    """What is done in a folder; `SftpConnection` does it."""

    def list_files(self) -> list[RemoteFile]:
        """List the files."""
        ...

    def stat(self, name: str) -> RemoteFile:
        """Look at a file."""
        ...

    def read(self, name: str, limit: int) -> bytes:
        """Read at most `limit` bytes."""
        ...

    def move(self, name: str, folder: str) -> None:
        """Move a file into a folder."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file."""
        ...


def open_sftp_connection(access: SftpAccess) -> AbstractContextManager[OpenFolder]:
    """Return a connection. The library is loaded when the first one is opened."""
    from visibility.outbound.sftp_connection import SftpConnection

    return SftpConnection(access)


@dataclass(slots=True)
class SftpState:
    """The cursor: files that were read, and since when others have their size and time."""

    done: set[str] = field(default_factory=set)
    unchanged_since: dict[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, cursor: str) -> "SftpState":
        """Parse a cursor; one of another kind counts as none."""
        try:
            content = orjson.loads(cursor)
            return cls(
                {str(key) for key in content["done"]},
                {str(key): float(at) for key, at in content["unchanged_since"].items()},
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()

    def to_cursor_text(self) -> str:
        """The cursor as text."""
        content = {"done": sorted(self.done), "unchanged_since": self.unchanged_since}
        return orjson.dumps(content).decode()


@dataclass(slots=True)
class SftpFolderReader:
    """Reads one folder once. `is_trial`: files need not be settled, and nothing is changed."""

    folder: SftpFolder
    now: datetime
    is_trial: bool = False
    problems: list[str] = field(default_factory=list)
    _state: SftpState = field(default_factory=SftpState)

    def pages(self, connection: OpenFolder, cursor: str) -> Iterator[PolledPage]:
        """Yield the files that are complete, oldest first, at least one page."""
        self._state = SftpState.parse(cursor)
        ready, read_before = self._separate_files(connection.list_files())
        self._move_or_delete(connection, read_before)
        files: list[RemoteFile] = []
        records: list[PolledRecord] = []
        started = time.monotonic()
        for file in ready[:MAX_FILES]:
            if record := self._read_complete_file(connection, file):
                files.append(file)
                records.append(record)
            size = sum(len(record.body) for record in records)
            is_late = time.monotonic() - started > PAGE_SECONDS
            if len(files) >= FILES_PER_PAGE or size >= PAGE_BYTES or is_late:
                yield self._page(records)
                self._move_or_delete(connection, files)
                files, records, started = [], [], time.monotonic()
        yield self._page(records)
        done = len(self._state.done)
        self._move_or_delete(connection, files)
        if len(self._state.done) < done:
            # A file that comes with the same name, size and time as a moved one must be read.
            yield self._page([])

    def problem_sentence(self) -> str:
        """The first problem with a file and how many there are; empty: none."""
        others = len(self.problems) - 1
        more = f" ({others} more)" if others > 0 else ""
        return self.problems[0] + more if self.problems else ""

    def _page(self, records: list[PolledRecord]) -> PolledPage:
        return PolledPage(tuple(records), self._state.to_cursor_text())

    def _separate_files(
        self, listed: list[RemoteFile]
    ) -> tuple[list[RemoteFile], list[RemoteFile]]:
        """Return the files to read, and those that were read; remember the others."""
        ready, read_before, before = [], [], self._state
        self._state = SftpState()
        for file in listed:
            if not self._is_wanted(file):
                continue
            key = _file_key(file)
            if key in before.done:
                self._state.done.add(key)
                read_before.append(file)
                continue
            since = before.unchanged_since.get(key, self.now.timestamp())
            self._state.unchanged_since[key] = since
            seconds = self.now.timestamp() - since
            if seconds < self.folder.settle.total_seconds() and not self.is_trial:
                continue
            if file.size > settings.MAX_FILE_BODY:
                limit = f"{TOO_LARGE} {settings.MAX_FILE_BODY} bytes"
                self.problems.append(f"{file.displayed_name}{limit}")
            else:
                ready.append(file)
        return ready, read_before

    def _is_wanted(self, file: RemoteFile) -> bool:
        pattern = self.folder.pattern.lower()
        if PurePosixPath(file.name).suffix.lower() in UNFINISHED_SUFFIXES:
            return False
        return not pattern or fnmatchcase(file.name.lower(), pattern)

    def _read_complete_file(self, connection: OpenFolder, file: RemoteFile) -> PolledRecord | None:
        """Return the file as a message, or None if it changes or cannot be read."""
        key = _file_key(file)
        try:
            body = connection.read(file.name, settings.MAX_FILE_BODY + 1)
            is_unchanged = len(body) == file.size and connection.stat(file.name) == file
        except RemoteFileFailure as error:
            self.problems.append(f"{file.displayed_name} cannot be read: {error}")
            return None
        self._state.unchanged_since.pop(key, None)
        if not is_unchanged:
            return None  # the next round sees its new size and time
        self._state.done.add(key)
        headers = {
            "x-file-name": file.displayed_name,
            "x-file-folder": self.folder.access.address[:200],
        }
        return PolledRecord(f"file {hashlib.sha256(body).hexdigest()}", body, headers)

    def _move_or_delete(self, connection: OpenFolder, files: list[RemoteFile]) -> None:
        """Move or delete files that were read, unless their sender has replaced them meanwhile."""
        if self.folder.afterwards == LEAVE or self.is_trial:
            return
        started = time.monotonic()
        for file in files:
            if time.monotonic() - started > PAGE_SECONDS:
                return  # the next round does it
            try:
                if connection.stat(file.name) != file:
                    continue
                if self.folder.afterwards == DELETE:
                    connection.delete(file.name)
                else:
                    connection.move(file.name, self.folder.archive)
                self._state.done.discard(_file_key(file))
            except RemoteFileFailure as error:
                verb = "deleted" if self.folder.afterwards == DELETE else "moved"
                self.problems.append(
                    f"{file.displayed_name} was read, but cannot be {verb}: {error}"
                )


def read_sftp_folder(
    source: Source,
    cursor: str,
    *,
    now: datetime,
    is_trial: bool = False,
    open_connection: Callable[
        [SftpAccess], AbstractContextManager[OpenFolder]
    ] = open_sftp_connection,
) -> Iterator[PolledPage]:
    """Yield the pages of a source, and record problems with single files at their end.

    Raises SftpFailure, ForbiddenAddress or UnreadableSecrets.
    """
    secrets = secret_setting_values_by_name(decrypt_secrets(source.sealed_secrets))
    connector = connectors_by_slug().get(source.connector)
    folder = sftp_folder_of_settings(
        source.config_or_empty_if_invalid,
        secrets,
        pattern=connector.file_pattern if connector else "",
    )
    reader = SftpFolderReader(folder, now, is_trial)
    with open_connection(folder.access) as connection:
        yield from reader.pages(connection, cursor)
    if not is_trial:
        record_file_error(source, reader.problem_sentence(), now=now)


def _file_key(file: RemoteFile) -> str:
    """Identifies this state of a file."""
    text = f"{file.size} {file.modified} {file.name}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:16]
