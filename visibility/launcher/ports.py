"""The port of the pages: the one that was asked for, or the next free one."""

import socket
import sys
from dataclasses import dataclass

from visibility.launcher.binaries import Unusable
from visibility.launcher.supervisor import say

DEFAULT_PORT = 8000
MOST_PORTS = 100


@dataclass(frozen=True)
class Port:
    """A free port; `hold` keeps other instances that are just starting away from it."""

    number: int
    hold: socket.socket


def claim(asked: int | None) -> Port:
    """Take a port until this process ends."""
    first = asked or DEFAULT_PORT
    last = asked or DEFAULT_PORT + MOST_PORTS - 1
    for number in range(first, last + 1):
        hold = _hold(number)
        if hold is not None:
            if number != first:
                say(f"port {first} is taken; using {number}")
            return Port(number, hold)
    if asked:
        raise Unusable(f"Port {asked} is taken: choose another --port, or leave it out.")
    raise Unusable(f"No port from {first} to {last} is free.")


def _hold(number: int) -> socket.socket | None:
    """A name in the kernel that ends with us; the port itself is the web server's to open."""
    hold = socket.socket(socket.AF_UNIX)
    try:
        if sys.platform.startswith("linux"):  # names without a file exist nowhere else
            hold.bind(f"\0throughline-port-{number}")
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", number))
    except OSError:
        hold.close()
        return None
    return hold
