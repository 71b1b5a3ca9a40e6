"""An OpenID Connect provider on loopback: discovery, keys, code flow with PKCE, userinfo.

It signs in `person` without asking. `change_token` changes the claims of the next ID tokens, and
`sign` replaces how they are signed.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from functools import cache
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

CLIENT_ID, CLIENT_SECRET = "throughline", "secret-of-the-client"
KEY_NAME = "key-1"
Claims = dict[str, Any]


@cache
def private_key() -> RSAPrivateKey:
    """The key that the provider publishes, generated once for all tests."""
    return generate_private_key(public_exponent=65537, key_size=2048)


def sign_rs256(claims: Claims) -> str:
    return jwt.encode(claims, private_key(), algorithm="RS256", headers={"kid": KEY_NAME})


class LocalIdentityProvider(ThreadingHTTPServer):
    """`requests` are the paths that arrived; `authorized` the parameters of the sign-ins."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _ProviderHandler)
        self.person: Claims = {
            "sub": "subject-1",
            "email": "grace@example.com",
            "email_verified": True,
            "name": "Grace Hopper",
        }
        self.userinfo: Claims = {}
        self.change_token: Callable[[Claims], Claims] = lambda claims: claims
        self.change_discovery: Callable[[Claims], Claims] = lambda document: document
        self.sign: Callable[[Claims], str] = sign_rs256
        self.error: dict[str, str] = {}
        self.requests: list[str] = []
        self.authorized: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def issuer(self) -> str:
        return f"http://{self.address}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def visit(self, address: str) -> str:
        """Open the sign-in page as a browser would; return where it redirects to."""
        target = urlsplit(address)
        assert target.netloc == self.address, address
        connection = HTTPConnection(self.address, timeout=10)
        connection.request("GET", f"{target.path}?{target.query}")
        answer = connection.getresponse()
        answer.read()
        location = answer.getheader("location")
        connection.close()
        assert (answer.status, bool(location)) == (302, True)
        return str(location)

    def discovery(self) -> Claims:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "scopes_supported": ["openid", "email", "groups"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }
        return self.change_discovery(document)

    def keys(self) -> Claims:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(private_key().public_key(), as_dict=True)
        return {"keys": [{**public, "kid": KEY_NAME, "use": "sig", "alg": "RS256"}]}

    def authorize(self, parameters: dict[str, str]) -> str:
        """Where the browser is redirected to: with a code, or with an error."""
        self.authorized.append(parameters)
        answer = {"state": parameters["state"], **self.error}
        if not self.error:
            answer["code"] = secrets.token_urlsafe(16)
            self._codes[answer["code"]] = parameters
        return f"{parameters['redirect_uri']}?{urlencode(answer)}"

    def exchange(self, form: dict[str, str]) -> tuple[int, Claims]:
        """RFC 6749, section 4.1.3, with PKCE (RFC 7636). A code is valid once."""
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return 401, {"error": "invalid_client", "error_description": "Wrong secret"}
        asked = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["redirect_uri"] != form.get("redirect_uri")
            or (asked["code_challenge_method"], asked["code_challenge"]) != ("S256", challenge)
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
        }
        token = self.sign(self.change_token(claims))
        return 200, {"access_token": "access-1", "token_type": "Bearer", "id_token": token}


class _ProviderHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self._server()
        target = urlsplit(self.path)
        server.requests.append(target.path)
        if target.path == "/.well-known/openid-configuration":
            self._send(200, server.discovery())
        elif target.path == "/keys":
            self._send(200, server.keys())
        elif target.path == "/authorize":
            location = server.authorize(dict(parse_qsl(target.query)))
            self._send(302, {}, location)
        elif target.path == "/userinfo":
            is_allowed = self.headers["authorization"] == "Bearer access-1"
            self._send(200 if is_allowed else 401, server.userinfo)
        else:
            self._send(404, {})

    def do_POST(self) -> None:
        server = self._server()
        server.requests.append(self.path)
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self._send(*server.exchange(dict(parse_qsl(body))))

    def _server(self) -> LocalIdentityProvider:
        return cast("LocalIdentityProvider", self.server)

    def _send(self, status: int, content: Claims, location: str = "") -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if location:
            self.send_header("location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Write no log."""
