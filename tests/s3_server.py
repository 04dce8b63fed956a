"""As much of the S3 protocol as a blob store speaks, on loopback: objects, listing, removal in bulk, uploads in parts.

A stand-in: where ``moto_server`` is on the path, or ``HATRACK_TEST_S3`` names a server, the same tests run against that.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

__all__ = ["s3_server"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    buckets: dict[str, dict[str, tuple[bytes, float, str]]]
    parts: dict[str, dict[int, bytes]]

    def log_message(self, *args: Any) -> None:
        pass

    def _asked(self) -> tuple[str, str, dict[str, str], bytes]:
        split = urlsplit(self.path)
        bucket, _, key = unquote(split.path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
        return bucket, key, query, self.rfile.read(int(self.headers.get("content-length") or 0))

    def _say(self, status: int, body: bytes = b"", size: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body) if size is None else size))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _fault(self, status: int, code: str) -> None:
        self._say(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode(), content_type="application/xml")

    def _object(self) -> None:
        bucket, key, query, _ = self._asked()
        objects = self.buckets.get(bucket)
        if objects is None:
            return self._fault(404, "NoSuchBucket")
        if not key:
            return self._list(bucket, objects, query.get("prefix", ""), query.get("delimiter", ""))
        if key not in objects:
            return self._fault(404, "NoSuchKey")
        body, written, tag = objects[key]
        return self._say(200, body, etag=f'"{tag}"', last_modified=formatdate(written, usegmt=True))

    do_GET = do_HEAD = _object

    def _list(self, bucket: str, objects: dict[str, tuple[bytes, float, str]], prefix: str, delimiter: str) -> None:
        import datetime

        assert not delimiter
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{datetime.datetime.fromtimestamp(at, datetime.UTC):%Y-%m-%dT%H:%M:%S.000Z}"
            f"</LastModified><ETag>&quot;{tag}&quot;</ETag><Size>{len(body)}</Size></Contents>"
            for key, (body, at, tag) in sorted(objects.items())
            if key.startswith(prefix)
        )
        self._say(200, f"<ListBucketResult><Name>{bucket}</Name><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode())

    def do_PUT(self) -> None:
        import time

        bucket, key, query, body = self._asked()
        if not key:
            self.buckets.setdefault(bucket, {})
            return self._say(200)
        if bucket not in self.buckets:
            return self._fault(404, "NoSuchBucket")
        if "uploadId" in query:
            self.parts[query["uploadId"]][int(query["partNumber"])] = body
        else:
            self.buckets[bucket][key] = (body, time.time(), hashlib.md5(body).hexdigest())
        return self._say(200, etag=f'"{hashlib.md5(body).hexdigest()}"')

    def do_POST(self) -> None:
        import time

        bucket, key, query, body = self._asked()
        if "delete" in query:
            keys = [unquote(one) for one in re.findall(r"<Key>(.*?)</Key>", body.decode())]
            for one in keys:
                self.buckets[bucket].pop(one, None)
            said = "".join(f"<Deleted><Key>{escape(one)}</Key></Deleted>" for one in keys)
            return self._say(200, f"<DeleteResult>{said}</DeleteResult>".encode())
        if "uploads" in query:
            number = str(len(self.parts) + 1)
            self.parts[number] = {}
            return self._say(200, f"<InitiateMultipartUploadResult><UploadId>{number}</UploadId></InitiateMultipartUploadResult>".encode())
        parts = [part for _, part in sorted(self.parts.pop(query["uploadId"]).items())]
        tag = f"{hashlib.md5(b''.join(hashlib.md5(part).digest() for part in parts)).hexdigest()}-{len(parts)}"
        self.buckets[bucket][key] = (b"".join(parts), time.time(), tag)
        return self._say(200, f'<CompleteMultipartUploadResult><ETag>"{tag}"</ETag></CompleteMultipartUploadResult>'.encode())

    def do_DELETE(self) -> None:
        bucket, key, _, _ = self._asked()
        self.buckets[bucket].pop(key, None)
        self._say(204)


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """The server's address, as long as the block runs."""
    handler = type("Handler", (_Handler,), {"buckets": {}, "parts": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
