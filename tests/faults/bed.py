"""A test bed: the cluster, the installation on it, and the court that judges it."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from tests.faults.cluster import Cluster
from tests.faults.examiner import Examiner
from tests.faults.installation import ROOT, Installation
from tests.faults.sending import Sending
from tests.faults.story import Message, stories
from tests.faults.verdict import Court, Verdict
from visibility.launcher.embedded import NAME

# A released order must be sent within so many hours.
WITHIN = 4.0

# The web last: it is waited for.
USUAL = ("worker", "beat", "web")


class Bed:
    """Everything a fault needs; made once, and each fault tells its own orders."""

    def __init__(self, folder: Path, *, quick: bool = True) -> None:
        self.folder = folder
        self.cluster = Cluster(folder)
        self.cluster.start()
        self._migrate()
        for name in ("undisturbed", "disturbed"):
            self.cluster.copy(name)
        self.installation = Installation(
            self.cluster, folder / "data", database="disturbed", quick=quick
        )
        self.court = Court(self.installation, reference="undisturbed")
        self.unjudged: list[Sending] = []
        self.began = self.now()

    def _migrate(self) -> None:
        """The template, with its sources and its rule, so that both have the same."""
        first = Installation(self.cluster, self.folder / "data", database=NAME)
        command = [sys.executable, "-m", "django", "migrate", "--skip-checks", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=first.environment, check=True)
        examiner = Examiner(first.environment)
        examiner.ask("setup", within=WITHIN)
        examiner.close()

    def start(self, *names: str) -> None:
        """Start processes and wait for the web."""
        for name in names or USUAL:
            self.installation.add(name)

    @property
    def kills(self) -> int:
        """How many processes and servers were killed on purpose."""
        servers = self.cluster.postgres.kills + self.cluster.valkey.kills
        return self.installation.kills + servers

    def now(self) -> datetime:
        """The database's time."""
        return datetime.fromisoformat(self.court.under_test.ask("now"))

    def stories(self, prefix: str, *, count: int, seed: int = 1) -> list[Message]:
        """Orders of the last days."""
        since = self.began.replace(microsecond=0) - timedelta(days=3)
        return stories(prefix, count=count, seed=seed, since=since)

    def send(
        self, messages: Sequence[Message], *, rate: float = 50, seed: int = 1, patience: float = 3
    ) -> Sending:
        """Begin to send."""
        sending = Sending(self.installation.url, messages, rate=rate, seed=seed, patience=patience)
        self.unjudged.append(sending)
        return sending.start()

    def settle(
        self, sending: Sending, *, seconds: float = 60, deadline: float = 180, given_up: int = 0
    ) -> Verdict:
        """Wait for the senders and for quiet, then judge."""
        heard = sending.finish(seconds=deadline)
        self.court.quiet(seconds=seconds)
        self.unjudged.remove(sending)
        return self.court.judge(sending.messages, heard, given_up=given_up)

    def mend(self) -> None:
        """Put right what a fault has left behind: the next one begins with everything running."""
        self.cluster.postgres.ensure()
        self.cluster.valkey.ensure()
        for name in set(self.installation.processes) - set(USUAL):
            self.installation.remove(name)
        for name in USUAL:
            self.installation.resume(name)
        self.installation.revive()
        self.installation.await_web(path="/readyz")
        for sending in list(self.unjudged):
            self.settle(sending)

    def stop(self) -> None:
        """End everything."""
        self.installation.stop()
        self.court.close()
        self.cluster.stop()
