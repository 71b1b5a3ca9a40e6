"""The servers of the ERPs of one run, and which rows each of them has."""

from collections.abc import Sequence

from visibility.simulator.erp_landscape import ErpLandscape, ErpRow, ErpSystem
from visibility.simulator.erp_rows_by_modification_time import ErpFeed
from visibility.simulator.erp_server import ErpServer
from visibility.simulator.generator import DAY, SimulatedWorld
from visibility.simulator.read_setup_file import SimulatorSetup
from visibility.simulator.simulated_order import SimulatedOrder
from visibility.simulator.tryton_server import TrytonServer

SERVERS: dict[ErpSystem, type[ErpServer]] = {
    ErpSystem.BUSINESS_CENTRAL: ErpServer,
    ErpSystem.TRYTON: TrytonServer,
}


class SimulatedErps:
    """One server per ERP, each with the rows of its own orders."""

    def __init__(self, setup: SimulatorSetup, world: SimulatedWorld) -> None:
        cut_over_at = world.setting.started - setup.cut_over_days * DAY
        self.landscape = ErpLandscape(setup.erp, cut_over_at)
        self._world = world
        self.servers: dict[str, ErpServer] = {}
        for source, system in self.landscape.system_by_source.items():
            # Each server has its own world: its threads must not share one with the sender.
            feed = ErpFeed(SimulatedWorld(world.setting), system, self.landscape)
            access = setup.erps[source]
            self.servers[source] = SERVERS[system](feed, access.port, access.secret)

    def add_rows(self, rows: Sequence[ErpRow]) -> None:
        """Add rows of the past."""
        numbers = dict.fromkeys(n for _, n, _, _ in rows)
        by_source = self.landscape.rows_by_source(rows, (self._world.order(n) for n in numbers))
        for source, own in by_source.items():
            self.servers[source].feed.add_rows(own)

    def add_row(self, order: SimulatedOrder, index: int) -> None:
        """Add one row that was just created or changed."""
        step = order.steps[index]
        source = self.landscape.reporting_source(order, step)
        self.servers[source].feed.add_row(step, order.n, index)

    def start(self) -> None:
        """Serve requests in background threads."""
        for server in self.servers.values():
            server.start()

    def stop(self) -> None:
        """Stop serving and close the sockets."""
        for server in self.servers.values():
            server.stop()

    def unread_count(self) -> int:
        """The number of rows that no client has fetched yet."""
        return sum(server.feed.unread_count() for server in self.servers.values())

    def request_count(self) -> int:
        """The number of requests that the servers answered."""
        return sum(server.request_count for server in self.servers.values())
