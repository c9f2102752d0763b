"""Takes webhooks, and notes them in the order in which they come."""
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import eventually


@dataclass(eq=False)
class Request:
    path: str
    id: str  # of the event
    headers: dict  # names in lower case
    body: bytes
    port: int  # the sender's
    came: float
    status: int = 0  # what it is, or will be, answered
    answered: float = float("inf")  # or is about to be

    @property
    def is_answered(self):
        return self.answered < float("inf")


class Receiver:
    """Answers each request with the status that `judge(request, earlier)` says, where `earlier` are those with the same
    event to the same path; while it is held it answers none."""

    def __init__(self, judge=lambda request, earlier: 200):
        self.judge = judge
        self.requests = []
        self._same = defaultdict(list)  # by path and event
        self._read = 0
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver._take(self.path, headers, body, self.client_address[1])
                try:
                    self.send_response(status)
                    self.send_header("content-length", "0")
                    self.end_headers()
                except OSError:
                    self.close_connection = True  # the sender is dead

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _take(self, path, headers, body, port):
        request = Request(path, headers["webhook-id"], headers, body, port, time.monotonic())
        with self._lock:
            same = self._same[path, request.id]
            request.status = self.judge(request, same)
            same.append(request)
            self.requests.append(request)
        self._flowing.wait()
        request.answered = time.monotonic()
        return request.status

    def around(self, request):
        """Those with the same event to the same path: what came before, and what came later."""
        same = self._same[request.path, request.id]
        at = same.index(request)
        return same[:at], same[at + 1:]

    def by_event(self, path):
        """What came to a path: the requests of each event, by its id, in the order in which they came first."""
        return {event: list(same) for (to, event), same in list(self._same.items()) if to == path and same}

    def waiting(self):
        """Those that are not answered yet."""
        return [request for request in list(self.requests) if not request.is_answered]

    def next(self, seconds=20):
        """The first one that was not asked for yet."""
        eventually(lambda: len(self.requests) > self._read, seconds, "a webhook comes")
        self._read += 1
        return self.requests[self._read - 1]

    def hold(self):
        self._flowing.clear()

    def flow(self):
        self._flowing.set()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
