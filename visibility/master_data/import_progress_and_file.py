"""Stored bytes of an import, and the progress of imports."""

from collections.abc import Iterable, Iterator

from django.db import connection

from visibility.models.imports import ImportPart, MasterImport

MEBIBYTE = 1_048_576
CHUNK_SIZE = MEBIBYTE


def set_progress_sequence(number: int) -> None:
    """Publish progress through a sequence: unlike rows, it is visible before the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('visibility_import_progress', %s)", [number])


def stored_chunks(master_import: MasterImport) -> Iterator[bytes]:
    stored = ImportPart.objects.filter(master_import=master_import)
    for number in stored.order_by("number").values_list("number", flat=True):
        yield bytes(stored.values_list("data", flat=True).get(number=number))


def resize_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= CHUNK_SIZE:
            yield bytes(buffer[:CHUNK_SIZE])
            del buffer[:CHUNK_SIZE]
    if buffer:
        yield bytes(buffer)
