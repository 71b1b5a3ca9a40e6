"""A loopback server that speaks the FedEx Track API: OAuth token and tracking numbers."""

import json
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

MAX_NUMBERS = 30
Scans = Mapping[str, Sequence[Mapping[str, Any]]]


class FedExServer(ThreadingHTTPServer):
    """Answers POST /oauth/token and POST /track/v1/trackingnumbers as the API documents."""

    daemon_threads = True

    def __init__(self, client_id: str, client_secret: str) -> None:
        super().__init__(("127.0.0.1", 0), _FedExHandler)
        self.client_id, self.client_secret = client_id, client_secret
        self.scans: Scans = {}
        self.tokens: list[str] = []
        self.asked: list[list[str]] = []
        # Statuses that the next tracking requests get instead of an answer.
        self.failures: list[int] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://{self.address}"

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()


class _FedExHandler(BaseHTTPRequestHandler):
    server: FedExServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/oauth/token":
            self._answer_token(body)
        elif self.path == "/track/v1/trackingnumbers":
            self._answer_tracking(body)
        else:
            self._send(404, {"errors": [{"code": "NOT.FOUND"}]})

    def _answer_token(self, body: bytes) -> None:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        expected = {
            "grant_type": "client_credentials",
            "client_id": self.server.client_id,
            "client_secret": self.server.client_secret,
        }
        if form != expected:
            self._send(401, {"errors": [{"code": "NOT.AUTHORIZED.ERROR"}]})
            return
        self.server.tokens.append(f"token-{len(self.server.tokens) + 1}")
        token = {"access_token": self.server.tokens[-1], "token_type": "bearer"}
        self._send(200, {**token, "expires_in": 3599, "scope": "CXS"})

    def _answer_tracking(self, body: bytes) -> None:
        if self.server.failures:
            status = self.server.failures.pop(0)
            self._send(status, {"errors": [{"code": "FAILED"}]}, {"Retry-After": "7"})
            return
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.server.tokens[-1:]:
            self._send(401, {"errors": [{"code": "NOT.AUTHORIZED.ERROR"}]})
            return
        document = json.loads(body)
        numbers = [i["trackingNumberInfo"]["trackingNumber"] for i in document["trackingInfo"]]
        if document["includeDetailedScans"] is not True or not 0 < len(numbers) <= MAX_NUMBERS:
            self._send(400, {"errors": [{"code": "TRACKING.TRACKINGNUMBER.INVALID"}]})
            return
        self.server.asked.append(numbers)
        results = [{"trackingNumber": n, "trackResults": [self._track_result(n)]} for n in numbers]
        self._send(200, {"transactionId": "t-1", "output": {"completeTrackResults": results}})

    def _track_result(self, number: str) -> dict[str, Any]:
        info = {"trackingNumber": number, "carrierCode": "FDXE", "trackingNumberUniqueId": ""}
        if number not in self.server.scans:
            error = {"code": "TRACKING.TRACKINGNUMBER.NOTFOUND", "message": "cannot be found"}
            return {"trackingNumberInfo": info, "error": error}
        info["trackingNumberUniqueId"] = f"2461000000~{number}~FX"
        return {
            "trackingNumberInfo": info,
            "serviceDetail": {"type": "FEDEX_GROUND"},
            "scanEvents": list(self.server.scans[number]),
        }

    def _send(
        self, status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""
