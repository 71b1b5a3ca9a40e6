"""Run a Python module that exits together with the supervisor.

Usage: `python -m visibility.launcher.run_module_until_supervisor_exits MODULE [ARGUMENT ...]`
"""

import os
import runpy
import signal
import sys
import threading
import time

PARENT_PIPE_VARIABLE = "VISIBILITY_PARENT_PIPE"
GRACE_SECONDS = 3


def exit_with_parent(pipe: int) -> None:
    """Terminate this process at end of file: only the supervisor holds the pipe's other end."""
    while os.read(pipe, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def main() -> None:
    """Watch the pipe in a thread and run the module."""
    pipe = os.environ.pop(PARENT_PIPE_VARIABLE, None)
    if pipe is not None:
        os.set_inheritable(int(pipe), False)
        threading.Thread(target=exit_with_parent, args=(int(pipe),), daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
