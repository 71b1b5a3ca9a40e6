"""Choose the web server's port: the requested one, or the first free one."""

import socket
import sys
from dataclasses import dataclass

from visibility.launcher.server_programs_and_account import StartError
from visibility.launcher.terminal_signals_and_logs import print_line

DEFAULT_PORT = 8000
PORTS_TO_TRY = 100


@dataclass(frozen=True)
class ClaimedPort:
    """A free port. `reservation` reserves it among instances that start at the same time."""

    number: int
    reservation: socket.socket


def claim_port(requested: int | None) -> ClaimedPort:
    """Reserve a port until this process ends.

    Raises:
        StartError: the requested port is taken, or no port is free.
    """
    first = requested or DEFAULT_PORT
    last = requested or DEFAULT_PORT + PORTS_TO_TRY - 1
    for number in range(first, last + 1):
        reservation = _reserve_port_by_abstract_socket(number)
        if reservation is not None:
            if number != first:
                print_line(f"port {first} is taken; using {number}")
            return ClaimedPort(number, reservation)
    if requested:
        raise StartError(f"Port {requested} is taken. Choose another --port, or omit the option.")
    raise StartError(f"No port from {first} to {last} is free.")


def _reserve_port_by_abstract_socket(number: int) -> socket.socket | None:
    """Reserve the port through an abstract socket; return None if it is taken.

    The port itself stays free for the web server. The kernel releases the abstract socket when
    this process ends.
    """
    reservation = socket.socket(socket.AF_UNIX)
    try:
        if sys.platform.startswith("linux"):  # only Linux has abstract sockets
            reservation.bind(f"\0throughline-port-{number}")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", number))
    except OSError:
        reservation.close()
        return None
    return reservation
