"""Whether this process is shutting down. If it is, no new batch is started."""

import threading

stopping = threading.Event()
