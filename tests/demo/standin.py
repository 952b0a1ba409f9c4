"""Stands in for `tp-inbox`: notes each start in a file, and answers on a port as the real services do."""

from __future__ import annotations

import http.server
import os
import sys
import time
from pathlib import Path


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()


def main(command: str) -> int:
    data = Path(os.environ["DATA_DIR"])
    with (data / "starts").open("a") as starts:
        starts.write(f"{command} {os.getpid()}\n")
    if command == os.environ.get("STANDIN_FAILS"):
        sys.stdout.write(f"{command} cannot\n")
        return 3
    if command in {"serve", "simulator"}:
        port = int(os.environ["PORT" if command == "serve" else "SIMULATOR_PORT"])
        http.server.ThreadingHTTPServer(("127.0.0.1", port), Health).serve_forever()
    if command == "worker":
        time.sleep(600)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
