"""As much of S3 as reading takes: objects are files below a folder, the bucket is its first part."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """What to put after an `s3:` URI to be sent here, and the requests so far, as they come in."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = folder / unquote(urlsplit(self.path).path).lstrip("/")
            asked.append(f"{self.command} {path.name}")
            data = path.read_bytes() if path.is_file() else b""
            size = len(data)
            part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
            if part:
                first, last = int(part[1]), min(int(part[2] or size), size - 1)
                data = data[first : last + 1]
            self.send_response(404 if not path.is_file() else 206 if part else 200)
            if part:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"?scheme=http&region=us-east-1&endpoint_override=127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
