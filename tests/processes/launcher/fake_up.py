"""`up` with real servers and supervisor, but small processes instead of the product's own."""

import os
import sys
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

from visibility.launcher import embedded_servers, up_command
from visibility.launcher.instance_lock_and_environment import CHECKOUT
from visibility.launcher.process_plan import ProcessPlan, StartOptions
from visibility.launcher.start_process_and_rotate_log import ProcessDefinition, python_child_command


class AlwaysOkHandler(BaseHTTPRequestHandler):
    """Answers 200 to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def plan(start: StartOptions) -> ProcessPlan:
    """A setup step with output, a web server, a worker, and a simulator that ends."""

    def child(
        name: str,
        *arguments: str,
        output_to_terminal: bool = False,
        is_setup_step: bool = False,
    ) -> ProcessDefinition:
        return ProcessDefinition(
            name,
            python_child_command("tests.processes.launcher.fake_up", *arguments),
            environment=start.environment,
            folder=CHECKOUT,
            output_to_terminal=output_to_terminal,
            is_setup_step=is_setup_step,
            may_exit=output_to_terminal,
        )

    worker = child("worker", os.environ.get("FAKE_WORKER", "wait"))
    return ProcessPlan(
        setup_steps=(
            (child("demo", "print", "login ada", output_to_terminal=True, is_setup_step=True),),
        ),
        services=(child("web", os.environ.get("FAKE_WEB", "web"), str(start.port)), worker),
        after_ready=(child("simulator", "print", "progress done", output_to_terminal=True),),
    )


def main(arguments: list[str]) -> int:
    """Run one of the small processes, or `up` itself."""
    match arguments:
        case ["print", line]:
            print(line)
        case ["web", port]:
            HTTPServer(("127.0.0.1", int(port)), AlwaysOkHandler).serve_forever()
        case ["wait"]:
            threading.Event().wait()
        case ["crash", *_]:
            print("the reason")
            return 3
        case _:
            exits = os.environ.get("FAKE_DATABASE_EXITS", embedded_servers.MAX_DATABASE_EXITS)
            embedded_servers.MAX_DATABASE_EXITS = int(exits)
            seconds = float(os.environ.get("FAKE_WEB_SECONDS", 60))
            up_command.WEB_TIMEOUT = timedelta(seconds=seconds)
            return up_command.main(arguments, plan)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
