"""NetSuite on loopback: SuiteQL with `limit`, `offset` and `hasMore`, signed by OAuth 1.0."""

import base64
import hashlib
import hmac
import json
import re
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from tests.builders.vendor_server import Answer, VendorRequest, VendorServer

PATH = "/services/rest/query/v1/suiteql"
PARAMETER = re.compile(r'(\w+)="([^"]*)"')
LITERAL = r"TO_DATE\('([0-9-]+) ([0-9:]+)', 'YYYY-MM-DD HH24:MI:SS'\)"
# The server returns at most so many rows of a query, whatever the limit.
MOST_ROWS = 3


class NetSuiteServer(VendorServer):
    """`rows` are transactions; `lines`, `links` and `tracking` are rows of the other tables."""

    def __init__(self) -> None:
        super().__init__([])
        self.lines: list[dict[str, Any]] = []
        self.links: list[dict[str, Any]] = []
        self.tracking: list[dict[str, Any]] = []
        self.realm, self.keys, self.secrets = "1234567_SB1", ("consumer", "token"), ("cs", "ts")
        self.authorize = self._is_signed
        self.answers[PATH] = self._answer_query

    @property
    def statements(self) -> list[str]:
        """The queries of all requests, in the order of their arrival."""
        return [json.loads(request.body)["q"] for request in self.requests]

    def _is_signed(self, request: VendorRequest) -> bool:
        """RFC 5849, section 3.4, with HMAC-SHA256."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        sent = {name: unquote(value) for name, value in PARAMETER.findall(text)}
        realm, signature = sent.pop("realm", ""), sent.pop("oauth_signature", "")
        pairs = sorted({**sent, **request.query}.items())
        normalized = "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in pairs)
        url = f"{self.url}{urlsplit(request.target).path}"
        signed = "&".join(quote(t, safe="") for t in (request.method, url, normalized))
        digest = hmac.new("&".join(self.secrets).encode(), signed.encode(), hashlib.sha256)
        return (
            scheme == "OAuth"
            and realm == self.realm
            and sent.get("oauth_signature_method") == "HMAC-SHA256"
            and (sent.get("oauth_consumer_key"), sent.get("oauth_token")) == self.keys
            and hmac.compare_digest(base64.b64encode(digest.digest()).decode(), signature)
        )

    def _answer_query(self, request: VendorRequest) -> Answer:
        assert request.method == "POST"
        assert request.headers["prefer"] == "transient"
        statement = json.loads(request.body)["q"]
        limit, offset = int(request.query["limit"]), int(request.query["offset"])
        assert limit <= 1000
        rows = self._select(statement)
        is_header = " FROM transaction t " in statement
        page = rows[offset:][: limit if is_header else min(limit, MOST_ROWS)]
        items = [{"links": [], **{k: v for k, v in row.items() if v is not None}} for row in page]
        more = offset + len(page) < len(rows)
        return Answer(
            200, {"links": [], "count": len(items), "hasMore": more, "items": items,
                  "offset": offset, "totalResults": len(rows)},
        )  # fmt: skip

    def _select(self, statement: str) -> list[dict[str, Any]]:
        if " FROM transaction t " in statement:
            return self._transactions(statement)
        listed = re.search(r" IN \(([0-9, ]+)\) ORDER BY ", statement)
        assert listed, statement
        ids = listed[1].split(", ")
        tables = {
            "FROM transactionline": self.lines,
            "FROM previoustransactionlinelink": self.links,
            "FROM trackingnumbermap": self.tracking,
        }
        table = next(rows for name, rows in tables.items() if name in statement)
        return [row for row in table if row["transaction"] in ids]

    def _transactions(self, statement: str) -> list[dict[str, Any]]:
        kind = re.search(r"t\.type = '(\w+)'", statement)
        assert kind, statement
        rows = [row for row in self.rows if row["type"] == kind[1]]
        for operator, day, clock in re.findall(rf"t\.lastmodifieddate (>=|<) {LITERAL}", statement):
            limit = f"{day}T{clock}"
            rows = [r for r in rows if (r["lastmodifieddate"] >= limit) == (operator == ">=")]
        if after := re.search(r"t\.id > ([0-9]+)", statement):
            rows = [row for row in rows if int(row["id"]) > int(after[1])]
        if statement.endswith("ORDER BY t.lastmodifieddate, t.id"):
            return sorted(rows, key=lambda row: (row["lastmodifieddate"], int(row["id"])))
        assert statement.endswith("ORDER BY t.id"), statement
        return sorted(rows, key=lambda row: int(row["id"]))
