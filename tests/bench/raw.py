"""The raw limit: PostgreSQL doing only the inserts nobody can avoid, a process of its own."""

import argparse
import asyncio
import hashlib
import json
import os
import time
from datetime import UTC, datetime, timedelta

import psycopg
import uvloop

from tests.bench import course

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
Row = tuple[str, str, str, bytes]


def made(prefix: str, orders: int) -> list[Row]:
    """The rows, ready before the clock starts."""
    now = course.whole_second(datetime.fromtimestamp(time.time(), UTC))
    found = []
    for told in course.messages(prefix, 0, orders, now - timedelta(days=4)):
        body = told.body
        found.append((told.source, told.key, hashlib.sha256(body).hexdigest(), body))
    return found


async def singly(url: str, rows: list[Row], connections: int) -> float:
    """Each row its own commit, on so many connections."""
    left = iter(rows)

    async def one(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        async with connection.cursor(binary=True) as cursor:
            for row in left:
                await cursor.execute(INSERT, row, prepare=True)

    opened = [
        await psycopg.AsyncConnection.connect(url, autocommit=True) for _ in range(connections)
    ]
    began = time.perf_counter()
    await asyncio.gather(*(one(connection) for connection in opened))
    took = time.perf_counter() - began
    for connection in opened:
        await connection.close()
    return took


def copied(url: str, rows: list[Row], size: int) -> float:
    """So many rows a COPY, each its own commit."""
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        for start in range(0, len(rows), size):
            with cursor.copy(COPY) as copy:
                copy.set_types(["text", "text", "text", "bytea"])
                for row in rows[start : start + size]:
                    copy.write_row(row)
        return time.perf_counter() - began


def main() -> None:
    """Insert as the arguments say, and print how long it took as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--copy", type=int, default=0)
    asked = parser.parse_args()
    url = os.environ["RAW_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE)
    rows = made(asked.prefix, asked.orders)
    before = time.process_time()
    if asked.copy:
        seconds = copied(url, rows, asked.copy)
    else:
        seconds = uvloop.run(singly(url, rows, asked.connections))
    print(
        json.dumps({"requests": len(rows), "seconds": seconds, "cpu": time.process_time() - before})
    )


if __name__ == "__main__":
    main()
