"""As much of S3 as Answerprint needs: objects are files below a folder, the bucket is its first part."""

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


@contextmanager
def serving(folder: Path, known_only: bool = False) -> Iterator[tuple[str, list[str]]]:
    """What to put after an `s3:` URI to be sent here, and the requests so far, as they come in.

    known_only: who gives no credentials is turned away. Arrow finds the server without what is yielded where
    AWS_ENDPOINT_URL names it.
    """
    asked: list[str] = []

    class Handler(_Handler):
        root, requests, closed = folder, asked, known_only

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"?scheme=http&region=us-east-1&endpoint_override=127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body go out apart: else the second would wait 40 ms for the first to be acknowledged.
    disable_nagle_algorithm = True
    root: Path
    requests: list[str]
    closed: bool

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if not self._is_let_in():
            return
        bucket, _, key = self._key.partition("/")
        if key:
            self._give(self.root / bucket / key)
        else:
            self._say(200, self._listing(self.root / bucket) if "list-type" in self._query else b"")

    def do_PUT(self) -> None:
        data = self._body()
        if not self._is_let_in():
            return
        path = self.root / self._key
        if self._key.endswith("/"):  # how a store keeps an empty folder
            path.mkdir(parents=True, exist_ok=True)
        else:
            if "uploadId" in self._query:
                path = self._part(path, int(self._query["partNumber"]))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self._say(200, b"", ETag='"0"')

    def do_POST(self) -> None:
        """The beginning and the end of an object that comes in parts."""
        self._body()
        if not self._is_let_in():
            return
        path = self.root / self._key
        if "uploads" in self._query:
            self._say(
                200, b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
            )
            return
        parts = sorted(path.parent.glob(self._part(path, 0).name.replace("00000", "*")))
        whole = b"".join(part.read_bytes() for part in parts)
        for part in parts:
            part.unlink()
        path.write_bytes(whole)
        self._say(200, b"<CompleteMultipartUploadResult><ETag>0</ETag></CompleteMultipartUploadResult>")

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/")

    @property
    def _query(self) -> dict[str, str]:
        asked = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[0] for name, values in asked.items()}

    @staticmethod
    def _part(path: Path, number: int) -> Path:
        return path.with_name(f".{path.name}.part-{number:05d}")

    def _is_let_in(self) -> bool:
        self.requests.append(f"{self.command} {self._key.rpartition('/')[2]}")
        if self.closed and "Authorization" not in self.headers:
            self._error(403, "AccessDenied")
        elif not (self.root / self._key.partition("/")[0]).is_dir():
            self._error(404, "NoSuchBucket")
        else:
            return True
        return False

    def _give(self, path: Path) -> None:
        if not path.is_file():
            self._error(404, "NoSuchKey")
            return
        data = path.read_bytes()
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if part is None:
            self._say(200, data)
            return
        first, last = int(part[1]), min(int(part[2] or len(data)), len(data) - 1)
        self._say(206, data[first : last + 1], **{"Content-Range": f"bytes {first}-{last}/{len(data)}"})

    def _listing(self, bucket: Path) -> bytes:
        """Of ListObjectsV2, all in one page."""
        prefix, delimiter = self._query.get("prefix", ""), self._query.get("delimiter")
        keys = [
            path.relative_to(bucket).as_posix() + "/" * path.is_dir() for path in sorted(bucket.rglob("*"))
        ]
        found: dict[str, str] = {}
        for key in keys:
            if not key.startswith(prefix):
                continue
            rest = key.removeprefix(prefix)
            if delimiter and delimiter in rest:
                folder = escape(prefix + rest.partition(delimiter)[0] + delimiter)
                found[folder] = f"<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"
            elif not key.endswith("/"):
                size = (bucket / key).stat().st_size
                time = "<LastModified>2000-01-01T00:00:00Z</LastModified>"
                found[key] = f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size>{time}</Contents>"
        count = f"<IsTruncated>false</IsTruncated><KeyCount>{len(found)}</KeyCount>"
        return f"<ListBucketResult>{count}{''.join(found.values())}</ListBucketResult>".encode()

    def _body(self) -> bytes:
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            data = _unchunked(self.rfile)
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        signed = "aws-chunked" in (self.headers.get("Content-Encoding") or "")
        return _unchunked(io.BytesIO(data)) if signed else data

    def _error(self, status: int, code: str) -> None:
        self._say(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def _say(self, status: int, data: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def _unchunked(stream: BinaryIO) -> bytes:
    """What comes in chunks, each after its length in hex; what may follow the last is thrown away."""
    whole = b""
    while size := int(stream.readline().partition(b";")[0], 16):
        whole += stream.read(size)
        stream.readline()
    while stream.readline().strip():
        pass
    return whole
