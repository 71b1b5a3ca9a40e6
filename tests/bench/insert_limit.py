"""Measure the insert limit: how fast PostgreSQL alone inserts the messages. A separate process."""

import argparse
import asyncio
import hashlib
import json
import os
import time
from datetime import UTC, datetime, timedelta

import psycopg
import uvloop

from tests.bench import workload

TABLE = """
CREATE TABLE IF NOT EXISTS raw_message (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    key text NOT NULL,
    content_hash text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    body bytea NOT NULL,
    UNIQUE (source, key, content_hash)
)
"""
INSERT = "INSERT INTO raw_message (source, key, content_hash, body) VALUES (%s, %s, %s, %s)"
COPY = "COPY raw_message (source, key, content_hash, body) FROM STDIN (FORMAT BINARY)"
RawRow = tuple[str, str, str, bytes]


def build_rows(prefix: str, orders: int) -> list[RawRow]:
    """Build the rows before the measurement starts."""
    now = workload.truncate_to_second(datetime.fromtimestamp(time.time(), UTC))
    rows = []
    for message in workload.messages(prefix, 0, orders, now - timedelta(days=4)):
        body = message.body
        rows.append((message.source, message.key, hashlib.sha256(body).hexdigest(), body))
    return rows


async def insert_singly(url: str, rows: list[RawRow], connections: int) -> float:
    """Insert each row in its own transaction on `connections` connections; return the seconds."""
    remaining = iter(rows)

    async def insert(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        async with connection.cursor(binary=True) as cursor:
            for row in remaining:
                await cursor.execute(INSERT, row, prepare=True)

    opened = [
        await psycopg.AsyncConnection.connect(url, autocommit=True) for _ in range(connections)
    ]
    started = time.perf_counter()
    await asyncio.gather(*(insert(connection) for connection in opened))
    seconds = time.perf_counter() - started
    for connection in opened:
        await connection.close()
    return seconds


def insert_with_copy(url: str, rows: list[RawRow], size: int) -> float:
    """Insert with COPY, `size` rows per transaction; return the seconds."""
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        started = time.perf_counter()
        for start in range(0, len(rows), size):
            with cursor.copy(COPY) as copy:
                copy.set_types(["text", "text", "text", "bytea"])
                for row in rows[start : start + size]:
                    copy.write_row(row)
        return time.perf_counter() - started


def main() -> None:
    """Insert as the command line says, and print the duration as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--copy", type=int, default=0)
    options = parser.parse_args()
    url = os.environ["RAW_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE)
    rows = build_rows(options.prefix, options.orders)
    before = time.process_time()
    if options.copy:
        seconds = insert_with_copy(url, rows, options.copy)
    else:
        seconds = uvloop.run(insert_singly(url, rows, options.connections))
    print(
        json.dumps({"requests": len(rows), "seconds": seconds, "cpu": time.process_time() - before})
    )


if __name__ == "__main__":
    main()
