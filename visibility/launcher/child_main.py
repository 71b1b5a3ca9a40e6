"""Runs a Python module that ends when the supervisor does: `child <module> [arguments]`."""

import os
import runpy
import signal
import sys
import threading
import time

PIPE = "VISIBILITY_PARENT_PIPE"
GRACE_SECONDS = 3


def follow(pipe: int) -> None:
    """The supervisor alone holds the other end: end of file means that it is gone."""
    while os.read(pipe, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def main() -> None:
    """Follow the pipe in a thread, and become the module."""
    pipe = os.environ.pop(PIPE, None)
    if pipe is not None:
        os.set_inheritable(int(pipe), False)
        threading.Thread(target=follow, args=(int(pipe),), daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
