"""Whether this process is about to stop: no new batch is begun then."""

import threading

stopping = threading.Event()
