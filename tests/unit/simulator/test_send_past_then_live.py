"""A complete run against a sink: backfill, checkpoint, restart and answer key."""

import asyncio
import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from tests.builders.sink import RecordingServer
from visibility.simulator import read_setup_file
from visibility.simulator.checkpoint import (
    Checkpoint,
    CheckpointMismatch,
    OutOfOrderFinishWatermark,
)
from visibility.simulator.faults import FaultRates
from visibility.simulator.send_past_then_live import SimulationRun
from visibility.simulator.vendors import VENDORS

SMALL = {"seed": 5, "days": 4, "per_day": 12.0, "speed": 20.0, "rates": FaultRates()}


@pytest.fixture
def data_dir(tmp_path: Path, sink: RecordingServer) -> Path:
    """A data folder with a setup file that points to the sink."""
    sink.write_setup(tmp_path)
    return tmp_path


def run_simulator(data_dir: Path, log: list[str], *, seconds: float | None = None) -> Checkpoint:
    """Send the past; with `seconds`, run live as well for that long."""
    product = read_setup_file.load_setup(data_dir / "run" / "demo.json")
    checkpoint = Checkpoint.load_or_create(data_dir / "run" / "simulator.json", SMALL, time.time())

    async def play() -> None:
        run = SimulationRun(product, checkpoint, data_dir / "key.jsonl", log.append)
        if seconds is None:
            await run.run(live=False)
            return
        asyncio.get_running_loop().call_later(seconds, os.kill, os.getpid(), signal.SIGTERM)
        await run.run(live=True)

    asyncio.run(play())
    return checkpoint


@pytest.fixture(autouse=True)
def no_poller_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """No poller runs in these tests."""
    monkeypatch.setattr("visibility.simulator.send_past_then_live.POLLER_TIMEOUT", 0.1)


def test_past_arrives_completely_and_is_not_resent_after_restart(
    data_dir: Path, sink: RecordingServer
) -> None:
    log: list[str] = []
    checkpoint = run_simulator(data_dir, log)
    total = checkpoint.sent
    assert total == len(sink.posts) > 500
    assert any(line.startswith("backfill done:") for line in log)
    assert {post.path for post in sink.posts} == {f"/hooks/{slug}" for slug in VENDORS}
    before = Counter((post.path, post.body) for post in sink.posts)
    run_simulator(data_dir, log)
    assert len(sink.posts) == total
    (data_dir / "run" / "simulator.json").write_text(
        (data_dir / "run" / "simulator.json").read_text().replace(f'"sent": {total}', '"sent": 0')
    )
    run_simulator(data_dir, log)
    resent = Counter((post.path, post.body) for post in sink.posts[total:])
    assert resent == before


def test_duplicates_have_the_same_id_and_are_in_the_answer_key(
    data_dir: Path, sink: RecordingServer
) -> None:
    run_simulator(data_dir, [])
    key = [json.loads(line) for line in (data_dir / "key.jsonl").read_text().splitlines()]
    ids = Counter(
        post.headers["webhook-id"] for post in sink.posts if post.path == "/hooks/finance"
    )
    duplicates = [
        entry
        for entry in key
        if entry["fault"] == "duplicate"
        and entry["message"].startswith("finance")
        and entry["injected_at"] < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    ]
    assert sum(count - 1 for count in ids.values()) == len(duplicates)
    bodies = Counter((post.path, post.body) for post in sink.posts)
    assert max(bodies.values()) <= 3


def test_answer_key_has_expected_alerts_and_times(data_dir: Path) -> None:
    run_simulator(data_dir, [])
    key = [json.loads(line) for line in (data_dir / "key.jsonl").read_text().splitlines()]
    stuck = [entry for entry in key if entry["fault"] == "stuck_order"]
    assert any("4711" in entry["numbers"] for entry in stuck)
    for entry in stuck:
        assert entry["expect"]["rule"] == "stuck_in_released"
        assert entry["injected_at"] < entry["expect"]["due_at"] < entry["expect"]["ends_at"]
        assert entry["order"] in entry["numbers"]
    for entry in key:
        if entry["fault"] in {"duplicate", "late", "reordered", "unknown_status", "bad_payload"}:
            assert entry["expect"]["alert"] is None
    lines = (data_dir / "key.jsonl").read_text()
    run_simulator(data_dir, [])
    assert (data_dir / "key.jsonl").read_text() == lines


def test_live_run_continues_until_it_is_stopped(data_dir: Path, sink: RecordingServer) -> None:
    started = time.monotonic()
    checkpoint = run_simulator(data_dir, [], seconds=2.5)
    assert time.monotonic() - started < 8
    assert checkpoint.live_until >= checkpoint.setting.started
    assert checkpoint.sent > 500


def test_changed_options_are_rejected_for_an_existing_run(data_dir: Path) -> None:
    path = data_dir / "run" / "simulator.json"
    Checkpoint.load_or_create(path, SMALL, 1_784_127_600.5)
    assert (
        Checkpoint.load_or_create(path, SMALL, 1_784_999_999.0).setting.started == 1_784_127_600.0
    )
    with pytest.raises(CheckpointMismatch, match="different seed"):
        Checkpoint.load_or_create(path, {**SMALL, "seed": 6}, 1_784_127_700.0)


def test_watermark_does_not_pass_the_oldest_unfinished_value() -> None:
    watermark = OutOfOrderFinishWatermark(10)
    first, second, third = (
        watermark.register_value_and_return_ticket(11),
        watermark.register_value_and_return_ticket(12),
        watermark.register_value_and_return_ticket(13),
    )
    watermark.finish_value(second)
    assert watermark.lowest_unfinished_or_latest_value == 11
    watermark.finish_value(first)
    assert watermark.lowest_unfinished_or_latest_value == 13
    watermark.finish_value(third)
    assert watermark.lowest_unfinished_or_latest_value == 13


def test_invalid_setup_file_is_reported(tmp_path: Path, settings: LazySettings) -> None:
    settings.DATA_DIR = tmp_path
    with pytest.raises(CommandError, match=r"manage\.py demo"):
        call_command("simulate")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(CommandError, match="is not a valid setup file"):
        call_command("simulate", setup=tmp_path / "broken.json")
