"""A small S3 server for tests: objects of one bucket in memory, as far as the archive needs the protocol.

PUT (also only where there is none), GET with ranges, HEAD, DELETE (one, or many by POST) and the list of version 2.
It can fail in the midst of an upload or answer with errors. Signatures are not checked.
"""

from __future__ import annotations

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_TIME = "2026-11-26T20:27:13.000Z"


class S3Server:
    """Serves `bucket` on 127.0.0.1; use it in a `with` block."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.broken = False
        """Uploads are cut off after half of their bytes; everything else is answered by 503."""
        self.requests: list[tuple[str, str]] = []
        """Method and range or path of each."""
        handler = type("Handler", (_Handler,), {"store": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def environment(self) -> dict[str, str]:
        """What tells a client of it."""
        return {
            "AWS_ENDPOINT": f"http://127.0.0.1:{self._server.server_address[1]}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }

    def __enter__(self) -> S3Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    store: S3Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _key(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        self.store.requests.append((self.command, self.headers.get("Range") or parts.path))
        return unquote(parts.path).removeprefix("/bucket").lstrip("/"), parse_qs(
            parts.query, keep_blank_values=True
        )

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _unavailable(self) -> bool:
        if self.store.broken:
            self._answer(503, b"<Error><Code>ServiceUnavailable</Code></Error>")
        return self.store.broken

    def do_PUT(self) -> None:
        key, _ = self._key()
        length = int(self.headers["Content-Length"])
        if self.store.broken:
            self.rfile.read(length // 2)
            self.connection.close()
            return
        data = self.rfile.read(length)
        if self.headers.get("If-None-Match") == "*" and key in self.store.objects:
            self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            return
        self.store.objects[key] = data
        self._answer(200, ETag=f'"{hashlib.md5(data).hexdigest()}"')

    def do_GET(self) -> None:
        key, query = self._key()
        if self._unavailable():
            return
        if "list-type" in query:
            self._list(query.get("prefix", [""])[0])
            return
        data = self.store.objects.get(key)
        if data is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        about = {
            "ETag": f'"{hashlib.md5(data).hexdigest()}"',
            "Last_Modified": "Thu, 26 Nov 2026 20:27:13 GMT",
        }
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if found is None:
            self._answer(200, data, Content_Length=str(len(data)), **about)
            return
        start, end = int(found[1]), min(int(found[2]), len(data) - 1)
        self._answer(206, data[start : end + 1], Content_Range=f"bytes {start}-{end}/{len(data)}", **about)

    do_HEAD = do_GET

    def do_DELETE(self) -> None:
        key, _ = self._key()
        if not self._unavailable():
            self.store.objects.pop(key, None)
            self._answer(204)

    def do_POST(self) -> None:
        self._key()
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self._unavailable():
            return
        keys = re.findall(r"<Key>(.*?)</Key>", body)
        for key in keys:
            self.store.objects.pop(key, None)
        gone = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        self._answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode(), Content_Type="application/xml")

    def _list(self, prefix: str) -> None:
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size><LastModified>{_TIME}</LastModified>"
            '<ETag>"x"</ETag></Contents>'
            for key, data in sorted(self.store.objects.items())
            if key.startswith(prefix)
        )
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>"
        self._answer(200, text.encode(), Content_Type="application/xml")
