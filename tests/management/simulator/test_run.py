"""A whole run against a sink: all told, marked, gone on with; and what the key says of it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from tests.management.simulator.sink import Sink
from visibility.simulator import setup
from visibility.simulator.checkpoint import Mark, OtherRun, Watermark
from visibility.simulator.faults import Rates
from visibility.simulator.run import Run
from visibility.simulator.vendors import VENDORS

SMALL = {"seed": 5, "days": 4, "per_day": 12.0, "speed": 20.0, "rates": Rates()}
CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def place(tmp_path: Path, sink: Sink) -> Path:
    """A data folder with a setup that names the sink."""
    sources: dict[str, Any] = {
        slug: {"hook": f"/hooks/{slug}", "secret": f"secret of {slug}"} for slug in VENDORS
    }
    sources["erp"] = {"secret": "token"}
    text = {"url": sink.url, "erp_port": 0, "sources": sources}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "demo.json").write_text(json.dumps(text))
    return tmp_path


def played(place: Path, said: list[str], *, seconds: float | None = None) -> Mark:
    """Play the past; with `seconds`, live as well until then."""
    found = setup.read(place / "run" / "demo.json")
    mark = Mark.load(place / "run" / "simulator.json", SMALL, time.time())

    async def play() -> None:
        run = Run(found, mark, place / "key.jsonl", said.append)
        if seconds is None:
            await run.run(live=False)
            return
        asyncio.get_running_loop().call_later(seconds, os.kill, os.getpid(), signal.SIGTERM)
        await run.run(live=True)

    asyncio.run(play())
    return mark


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No poller asks here."""
    monkeypatch.setattr("visibility.simulator.run.POLLER_WAIT", 0.1)


def test_the_past_arrives_whole_and_only_once_more_after_a_restart(place: Path, sink: Sink) -> None:
    said: list[str] = []
    mark = played(place, said)
    total = mark.sent
    assert total == len(sink.posts) > 500
    assert any(line.startswith("back-fill done:") for line in said)
    assert {post.path for post in sink.posts} == {f"/hooks/{slug}" for slug in VENDORS}
    before = Counter((post.path, post.body) for post in sink.posts)
    played(place, said)
    assert len(sink.posts) == total
    (place / "run" / "simulator.json").write_text(
        (place / "run" / "simulator.json").read_text().replace(f'"sent": {total}', '"sent": 0')
    )
    played(place, said)
    again = Counter((post.path, post.body) for post in sink.posts[total:])
    assert again == before


def test_doubles_carry_the_same_id_and_the_key_counts_them(place: Path, sink: Sink) -> None:
    played(place, [])
    key = [json.loads(line) for line in (place / "key.jsonl").read_text().splitlines()]
    ids = Counter(
        post.headers["webhook-id"] for post in sink.posts if post.path == "/hooks/finance"
    )
    doubled = [
        entry
        for entry in key
        if entry["fault"] == "duplicate"
        and entry["message"].startswith("finance")
        and entry["injected_at"] < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    ]
    assert sum(count - 1 for count in ids.values()) == len(doubled)
    bodies = Counter((post.path, post.body) for post in sink.posts)
    assert max(bodies.values()) <= 3


def test_the_key_says_what_to_find_and_when(place: Path) -> None:
    played(place, [])
    key = [json.loads(line) for line in (place / "key.jsonl").read_text().splitlines()]
    stuck = [entry for entry in key if entry["fault"] == "stuck_order"]
    assert any("4711" in entry["numbers"] for entry in stuck)
    for entry in stuck:
        assert entry["expect"]["rule"] == "stuck_in_released"
        assert entry["injected_at"] < entry["expect"]["due_at"] < entry["expect"]["ends_at"]
        assert entry["order"] in entry["numbers"]
    for entry in key:
        if entry["fault"] in {"duplicate", "late", "reordered", "unknown_status", "bad_payload"}:
            assert entry["expect"]["alert"] is None
    lines = (place / "key.jsonl").read_text()
    played(place, [])
    assert (place / "key.jsonl").read_text() == lines


def test_live_goes_on_until_it_is_stopped(place: Path, sink: Sink) -> None:
    begun = time.monotonic()
    mark = played(place, [], seconds=2.5)
    assert time.monotonic() - begun < 8
    assert mark.live_until >= mark.setting.started
    assert mark.sent > 500


def test_other_options_are_refused_for_a_run_that_began(place: Path) -> None:
    path = place / "run" / "simulator.json"
    Mark.load(path, SMALL, 1_784_127_600.5)
    assert Mark.load(path, SMALL, 1_784_999_999.0).setting.started == 1_784_127_600.0
    with pytest.raises(OtherRun, match="another seed"):
        Mark.load(path, {**SMALL, "seed": 6}, 1_784_127_700.0)


def test_the_watermark_waits_for_the_oldest() -> None:
    mark = Watermark(10)
    first, second, third = mark.begin(11), mark.begin(12), mark.begin(13)
    mark.end(second)
    assert mark.done == 11
    mark.end(first)
    assert mark.done == 13
    mark.end(third)
    assert mark.done == 13


def test_a_wrong_setup_or_fault_is_told_in_a_sentence(
    tmp_path: Path, settings: LazySettings
) -> None:
    settings.DATA_DIR = tmp_path
    with pytest.raises(CommandError, match=r"manage\.py demo"):
        call_command("simulate")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(CommandError, match="is not a setup"):
        call_command("simulate", setup=tmp_path / "broken.json")


def test_the_command_stops_at_sigterm_with_0(place: Path, sink: Sink) -> None:
    words = ["simulate", "--live", "--days", "2", "--orders-per-day", "5", "--speed", "2"]
    environment = {
        **os.environ,
        "DATA_DIR": str(place),
        "DJANGO_SETTINGS_MODULE": "visibility.settings",
        "SECRET_KEY": "only-for-this-test-0123456789-0123456789",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "django", *words],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = next(x for x in process.stdout if "done" in x)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert time.monotonic() - begun < 5
    assert line.startswith("back-fill done:")
    assert len(sink.posts) > 50
