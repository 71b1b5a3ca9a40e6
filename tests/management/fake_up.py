"""`up` with its real servers and supervisor, and three light processes instead of the product."""

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from visibility.launcher import up
from visibility.launcher.instance import CHECKOUT
from visibility.launcher.plan import Plan, Start
from visibility.launcher.process import Child, python


class Ready(BaseHTTPRequestHandler):
    """Answers 200 to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


def plan(start: Start) -> Plan:
    """A step that speaks, a web server, a worker, and a simulator that ends."""

    def child(name: str, *words: str, speaks: bool = False, once: bool = False) -> Child:
        return Child(
            name,
            python("tests.management.fake_up", *words),
            environment=start.environment,
            folder=CHECKOUT,
            speaks=speaks,
            once=once,
            may_end=speaks,
        )

    worker = child("worker", os.environ.get("FAKE_WORKER", "wait"))
    return Plan(
        steps=((child("demo", "say", "login ada", speaks=True, once=True),),),
        stay=(child("web", "web", str(start.port)), worker),
        after_ready=(child("simulator", "say", "progress done", speaks=True),),
    )


def main(words: list[str]) -> int:
    """One of the light processes, or `up` itself."""
    match words:
        case ["say", line]:
            print(line)
        case ["web", port]:
            HTTPServer(("127.0.0.1", int(port)), Ready).serve_forever()
        case ["wait"]:
            threading.Event().wait()
        case ["fall"]:
            print("the reason")
            return 3
        case _:
            return up.main(words, plan)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
