"""A mail server that stores accepted messages, or refuses a command."""

import socketserver
import threading
from typing import cast


class RecordingMailServer(socketserver.ThreadingTCPServer):
    """Speaks SMTP on a free port of this machine. `refused`: a command, or BODY for the text."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.refused = ""
        self.texts: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self) -> int:
        """The port."""
        return int(self.server_address[1])

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = cast("RecordingMailServer", self.server)
        self.wfile.write(b"220 ready\r\n")
        for line in self.rfile:
            command = line[:4].decode().upper().strip()
            if command == server.refused:
                self.wfile.write(b"550 no such mailbox\r\n")
            elif command == "DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                for text in self.rfile:
                    if text == b".\r\n":
                        break
                    lines.append(text.decode())
                server.texts.append("".join(lines))
                self.wfile.write(b"250 2.0.0 queued as 7\r\n")
            else:
                self.wfile.write(b"250 ok\r\n")
