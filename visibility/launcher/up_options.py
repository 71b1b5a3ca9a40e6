"""The command line options of `manage.py up`."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from visibility.launcher import instance_lock_and_environment


@dataclass(frozen=True)
class UpOptions:
    """The command line options of `manage.py up`."""

    data: Path
    port: int | None
    # None: the mode of this data folder; a new folder becomes a demo.
    demo: bool | None
    fresh: bool
    # Arguments of the command that sets up the demo.
    demo_arguments: tuple[str, ...] = ()


def parse_up_options(argv: list[str]) -> UpOptions:
    """Parse the options. Exits with a message if one is invalid."""
    parser = argparse.ArgumentParser(
        prog="manage.py up", description="Start everything; Ctrl-C stops everything."
    )
    parser.add_argument(
        "--port",
        type=_parse_port,
        help="use exactly this port (default: first free port from 8000)",
    )
    parser.add_argument("--data", type=Path, help="folder for all data (default: var)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--demo",
        action="store_const",
        const=True,
        help="run with demo data from a simulated company",
    )
    mode.add_argument(
        "--empty", dest="demo", action="store_const", const=False, help="start without demo data"
    )
    parser.add_argument("--fresh", action="store_true", help="first delete all stored data")
    parser.add_argument(
        "--erp",
        choices=("business_central", "tryton", "both"),
        help="the ERP of the simulated company; both: tryton replaced business_central",
    )
    parser.add_argument(
        "--cut-over-days",
        type=int,
        metavar="N",
        help="with --erp both: the cut-over was N days before the first start (default: 14)",
    )
    arguments = parser.parse_args(argv)
    data_folder = (arguments.data or instance_lock_and_environment.default_data_folder()).absolute()
    erp = {"--erp": arguments.erp, "--cut-over-days": arguments.cut_over_days}
    demo_arguments = tuple(f"{name}={value}" for name, value in erp.items() if value is not None)
    if demo_arguments and arguments.demo is False:
        parser.error("--erp and --cut-over-days are options of the demo")
    return UpOptions(data_folder, arguments.port, arguments.demo, arguments.fresh, demo_arguments)


def _parse_port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number")
    return int(text)
