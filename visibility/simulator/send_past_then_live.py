"""One run: send the past as fast as the product accepts it, then live messages in real time."""

import asyncio
import math
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from visibility.simulator import expected_problems_file as answers
from visibility.simulator.checkpoint import Checkpoint, OutOfOrderFinishWatermark
from visibility.simulator.generator import SimulatedWorld
from visibility.simulator.past_and_live_streams import (
    HEARTBEAT,
    LiveStream,
    PastStream,
    is_3pl_silent,
    order_indexes_until,
)
from visibility.simulator.read_setup_file import SimulatorSetup
from visibility.simulator.sender import MessageSender
from visibility.simulator.simulated_erps import SimulatedErps
from visibility.simulator.simulated_order import ERP_KINDS
from visibility.simulator.vendors import (
    build_3pl_997_heartbeat_message,
    build_full_or_truncated_message,
)

# Without --live: how many seconds without a request the ERP waits for a poller to read all rows.
POLLER_TIMEOUT = 60.0


class SimulationRun:
    """The state that the tasks of one run share."""

    def __init__(
        self,
        setup: SimulatorSetup,
        checkpoint: Checkpoint,
        key_file: Path,
        log: Callable[[str], None],
    ) -> None:
        self._checkpoint, self._log = checkpoint, log
        self._world = SimulatedWorld(checkpoint.setting)
        self._past = PastStream(self._world)
        self._future = LiveStream(self._world, self._past.pending)
        rows = [*self._past.rows, *self._future.skip_and_collect_erp_rows(checkpoint.live_until)]
        self._past.rows.clear()
        self._erps = SimulatedErps(setup, self._world)
        self._erps.add_rows(rows)
        self._sender = MessageSender(setup.url, setup.hooks, log)
        self._answer_key = answers.AnswerKeyFile(key_file)
        self._live_watermark = OutOfOrderFinishWatermark(checkpoint.live_until)
        self._past_watermark = OutOfOrderFinishWatermark(checkpoint.sent)
        self._delivered = checkpoint.sent
        self._recorded_outages = 0
        self._stop = asyncio.Event()

    async def run(self, *, live: bool) -> None:
        """Send the past, with `live` also the future without end. SIGTERM and SIGINT stop it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._erps.start()
        self._sender.start()
        self._write_past_faults()
        work = asyncio.create_task(self._send_past_and_optionally_live(live=live))
        stop = asyncio.create_task(self._stop.wait())
        watch = asyncio.create_task(self._report_and_save_progress())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, stop, watch):
                task.cancel()
            results = await asyncio.gather(work, stop, watch, return_exceptions=True)
            await self._sender.stop_and_drop_unsent()
            self._save_checkpoint()
            await asyncio.to_thread(self._erps.stop)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _send_past_and_optionally_live(self, *, live: bool) -> None:
        async with asyncio.TaskGroup() as group:
            if live:
                group.create_task(self._send_live())
            group.create_task(self._send_past())
        if not live:
            await self._wait_until_erp_rows_read()

    async def _send_past(self) -> None:
        started, sent_before = time.monotonic(), self._checkpoint.sent
        for index, (n, step) in enumerate(self._past.orders_and_steps_newest_day_first()):
            if index < sent_before:
                continue
            ticket = self._past_watermark.register_value_and_return_ticket(index)
            message = build_full_or_truncated_message(self._world.order(n), step)
            await self._sender.enqueue(
                message, partial(self._count_delivery_and_finish_ticket, ticket)
            )
        while self._delivered < self._past.total:
            await asyncio.sleep(0.02)
        self._past_watermark.finish_value(
            self._past_watermark.register_value_and_return_ticket(self._past.total)
        )
        seconds = max(time.monotonic() - started, 0.001)
        count = self._past.total - sent_before
        self._log(f"backfill done: {count} messages in {seconds:.0f} s, {count / seconds:.0f}/s")

    def _count_delivery_and_finish_ticket(self, ticket: int) -> None:
        self._past_watermark.finish_value(ticket)
        self._delivered += 1

    async def _send_live(self) -> None:
        while True:
            now = time.time()
            began: list[int] = []
            while entry := self._future.pop_due_step(now, began):
                step = self._future.step_of_entry(entry)
                if step.kind in ERP_KINDS:
                    self._erps.add_row(self._world.order(entry.n), entry.step_index)
                    continue
                if entry.n == HEARTBEAT:
                    if is_3pl_silent(self._world.silent_periods, entry.at) or entry.at < now - 60:
                        continue
                    message = build_3pl_997_heartbeat_message(entry.step_index, entry.at)
                else:
                    message = build_full_or_truncated_message(self._world.order(entry.n), step)
                ticket = self._live_watermark.register_value_and_return_ticket(entry.at)
                await self._sender.enqueue(
                    message, partial(self._live_watermark.finish_value, ticket)
                )
            self._write_new_faults(began, now)
            wait = self._future.next_entry_or_order_due_at() - time.time()
            await asyncio.sleep(min(max(wait, 0.01), 1.0))

    def _write_new_faults(self, began: list[int], now: float) -> None:
        """Write the faults of new orders and new silent periods to the answer key."""
        self._answer_key.append_new_entries(
            e for n in began for e in answers.order_fault_entries(self._world.order(n))
        )
        silent_periods = self._world.silent_periods
        while (
            silent_periods and silent_periods.live_period_by_index(self._recorded_outages)[0] <= now
        ):
            self._answer_key.append_new_entries(
                [
                    answers.silence_entry(
                        silent_periods.live_period_by_index(self._recorded_outages), live=True
                    )
                ]
            )
            self._recorded_outages += 1

    def _write_past_faults(self) -> None:
        """Write all faults up to the first start, or up to where the last run stopped."""
        until = max(self._checkpoint.setting.started, self._checkpoint.live_until)
        if silent_periods := self._world.silent_periods:
            self._answer_key.append_new_entries(
                answers.silence_entry(window, live=False) for window in silent_periods.past
            )
        orders = order_indexes_until(self._world, until)
        self._answer_key.append_new_entries(
            e for n in orders for e in answers.order_fault_entries(self._world.order(n))
        )

    async def _report_and_save_progress(self) -> None:
        """Report progress and save the checkpoint once a second."""
        last_line, before, total = "", self._delivered, self._past.total
        while True:
            await asyncio.sleep(1.0)
            self._save_checkpoint()
            percent = math.floor(100 * self._delivered / total) if total else 100
            line = f"progress backfill {percent}% {self._delivered}/{total} messages"
            if line != last_line:
                self._log(f"{line} {self._delivered - before}/s")
            last_line, before = line, self._delivered

    def _save_checkpoint(self) -> None:
        self._checkpoint.sent = int(self._past_watermark.lowest_unfinished_or_latest_value)
        self._checkpoint.live_until = max(
            self._checkpoint.live_until, self._live_watermark.lowest_unfinished_or_latest_value
        )
        self._checkpoint.save()

    async def _wait_until_erp_rows_read(self) -> None:
        """Wait until a poller has read all rows of the ERP."""
        request_count, last_request_at = self._erps.request_count(), time.monotonic()
        while self._erps.unread_count() and time.monotonic() - last_request_at < POLLER_TIMEOUT:
            await asyncio.sleep(0.2)
            if self._erps.request_count() != request_count:
                request_count, last_request_at = self._erps.request_count(), time.monotonic()
        if unread := self._erps.unread_count():
            self._log(f"{unread} rows of the ERP were not read: no poller requested them")
