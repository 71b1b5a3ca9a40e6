"""The fault test environment: servers, an installation and the assertions about it."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from tests.processes.faults.assertions import CheckResult, GuaranteeChecker
from tests.processes.faults.cluster import FaultCluster
from tests.processes.faults.installation import ROOT, FaultInstallation
from tests.processes.faults.order_messages import FaultMessage, order_messages
from tests.processes.faults.product_process import ProductProcess
from tests.processes.faults.senders import SenderThread
from visibility.launcher.embedded_servers import DATABASE_NAME

# The SLA rule: a released order must ship within this many hours.
SLA_HOURS = 4.0

# The web process comes last, because starting it waits until it responds.
DEFAULT_PROCESSES = ("worker", "beat", "web")


class FaultEnvironment:
    """Servers and processes, created once per session. Each test sends its own orders."""

    def __init__(self, folder: Path, *, quick: bool = True) -> None:
        self.folder = folder
        self.cluster = FaultCluster(folder)
        self.cluster.start()
        self._migrate()
        for name in ("undisturbed", "disturbed"):
            self.cluster.copy(name)
        self.installation = FaultInstallation(
            self.cluster, folder / "data", database="disturbed", quick=quick
        )
        self.checker = GuaranteeChecker(self.installation, reference="undisturbed")
        self.unchecked: list[SenderThread] = []
        self.started_at = self.now()

    def _migrate(self) -> None:
        """Create the template database with sources and SLA rule, of which both are copies."""
        template = FaultInstallation(self.cluster, self.folder / "data", database=DATABASE_NAME)
        command = [sys.executable, "-m", "django", "migrate", "--skip-checks", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=template.environment, check=True)
        examiner = ProductProcess(template.environment)
        examiner.call("setup", within=SLA_HOURS)
        examiner.close()

    def start(self, *names: str) -> None:
        """Start processes and wait for the web process."""
        for name in names or DEFAULT_PROCESSES:
            self.installation.add(name)

    @property
    def kills(self) -> int:
        """The number of processes and servers that the tests killed."""
        servers = self.cluster.postgres.kills + self.cluster.valkey.kills
        return self.installation.kills + servers

    def now(self) -> datetime:
        """The current time of the database."""
        return datetime.fromisoformat(self.checker.under_test.call("now"))

    def order_messages(self, prefix: str, *, count: int, seed: int = 1) -> list[FaultMessage]:
        """Messages about orders of the last three days."""
        since = self.started_at.replace(microsecond=0) - timedelta(days=3)
        return order_messages(prefix, count=count, seed=seed, since=since)

    def send(
        self,
        messages: Sequence[FaultMessage],
        *,
        rate: float = 50,
        seed: int = 1,
        timeout: float = 3,
    ) -> SenderThread:
        """Start sending in a background thread."""
        sending = SenderThread(
            self.installation.url, messages, rate=rate, seed=seed, timeout=timeout
        )
        self.unchecked.append(sending)
        return sending.start()

    def settle(
        self,
        sending: SenderThread,
        *,
        seconds: float = 60,
        deadline: float = 180,
        given_up: int = 0,
    ) -> CheckResult:
        """Wait until everything is sent and processed, then check all guarantees."""
        responses = sending.finish(seconds=deadline)
        self.checker.wait_until_idle(seconds=seconds)
        self.unchecked.remove(sending)
        return self.checker.check(sending.messages, responses, given_up=given_up)

    def repair(self) -> None:
        """Repair what a test left behind, so that the next one starts with everything running."""
        self.cluster.postgres.ensure_running()
        self.cluster.valkey.ensure_running()
        for name in set(self.installation.processes) - set(DEFAULT_PROCESSES):
            self.installation.remove(name)
        for name in DEFAULT_PROCESSES:
            self.installation.resume(name)
        self.installation.restart_exited()
        self.installation.wait_for_web(path="/readyz")
        for sending in list(self.unchecked):
            self.settle(sending)

    def stop(self) -> None:
        """Stop all processes and servers."""
        self.installation.stop()
        self.checker.close()
        self.cluster.stop()
