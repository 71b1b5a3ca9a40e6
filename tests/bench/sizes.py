"""The sizes of a benchmark run."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BenchSize:
    """How much one run measures: orders (six messages each), seconds, sockets, rounds."""

    repeats: int
    intake: int
    plain_intake: int
    batched: int
    plain_batched: int
    batch: int
    drain: int
    plain_drain: int
    seconds: float
    sockets: int
    growth: tuple[int, ...]
    templates: int
    looks: int
    burst: int
    # Rows of the imported item file.
    items: int
    # Charts that are built, each of other values.
    charts: int
    # Packages in one event, and messages sent beside it.
    packages: int = 5_000
    packages_messages: int = 300
    # People who sign in at once.
    sign_ins: int = 30
    # Orders of a day with few and of one with many.
    orders_of_day: tuple[int, int] = (500, 50_000)
    # Loads of each page in a browser.
    paints: int = 15


SIZES: Mapping[str, BenchSize] = {
    "tiny": BenchSize(
        repeats=1,
        intake=20,
        plain_intake=10,
        batched=20,
        plain_batched=10,
        batch=30,
        drain=20,
        plain_drain=5,
        seconds=1,
        sockets=3,
        growth=(24, 48),
        templates=12,
        looks=3,
        burst=2,
        items=500,
        charts=3,
        packages=1_100,
        packages_messages=20,
        sign_ins=2,
        orders_of_day=(10, 40),
        paints=1,
    ),
    "small": BenchSize(
        repeats=2,
        intake=500,
        plain_intake=80,
        batched=1000,
        plain_batched=170,
        batch=500,
        drain=300,
        plain_drain=40,
        seconds=5,
        sockets=200,
        growth=(1_000, 10_000),
        templates=250,
        looks=30,
        burst=100,
        items=200_000,
        charts=30,
    ),
    "default": BenchSize(
        repeats=3,
        intake=1_500,
        plain_intake=150,
        batched=2_500,
        plain_batched=340,
        batch=500,
        drain=800,
        plain_drain=70,
        seconds=8,
        sockets=1_000,
        growth=(10_000, 100_000),
        templates=500,
        looks=60,
        burst=300,
        items=1_000_000,
        charts=60,
    ),
    "full": BenchSize(
        repeats=3,
        intake=4_000,
        plain_intake=300,
        batched=8_000,
        plain_batched=680,
        batch=500,
        drain=3_000,
        plain_drain=150,
        seconds=20,
        sockets=1_000,
        growth=(10_000, 100_000, 1_000_000),
        templates=1_000,
        looks=200,
        burst=1_000,
        items=1_000_000,
        charts=100,
    ),
}
