"""An HTTP server that receives webhooks and records them in the order of their arrival."""
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import eventually


@dataclass(eq=False)
class Request:
    """A webhook request. Times are those of time.monotonic(), in seconds."""
    path: str
    id: str  # of the event
    headers: dict  # names in lower case
    body: bytes
    port: int  # the sender's
    received_at: float
    status: int = 0  # of the answer, also before it is sent
    answered_at: float = float("inf")  # just before the answer is sent

    @property
    def is_answered(self):
        return self.answered_at < float("inf")


class Receiver:
    """Answers each request with the status that `status_for(request, earlier)` returns.

    `earlier` are the requests with the same event to the same path that arrived before. Between `pause` and
    `resume` requests are recorded, but not answered.
    """

    def __init__(self, status_for=lambda request, earlier: 200):
        self.status_for = status_for
        self.requests = []
        self._attempts = defaultdict(list)  # requests by (path, event)
        self._next = 0  # index of the request that `next` returns
        self._lock = threading.Lock()
        self._answering = threading.Event()
        self._answering.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver._receive(self.path, headers, body, self.client_address[1])
                try:
                    self.send_response(status)
                    self.send_header("content-length", "0")
                    self.end_headers()
                except OSError:
                    self.close_connection = True  # the sender has closed the connection

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _receive(self, path, headers, body, port):
        request = Request(path, headers["webhook-id"], headers, body, port, time.monotonic())
        with self._lock:
            attempts = self._attempts[path, request.id]
            request.status = self.status_for(request, attempts)
            attempts.append(request)
            self.requests.append(request)
        self._answering.wait()
        request.answered_at = time.monotonic()
        return request.status

    def other_attempts(self, request):
        """Returns the requests with the same event to the same path: those before this one, and those after it."""
        attempts = self._attempts[request.path, request.id]
        index = attempts.index(request)
        return attempts[:index], attempts[index + 1:]

    def by_event(self, path):
        """Returns the requests to a path as {event id: requests}, in the order in which events first arrived."""
        return {event: list(attempts) for (to, event), attempts in list(self._attempts.items())
                if to == path and attempts}

    def unanswered(self):
        """Returns the requests that have no answer yet."""
        return [request for request in list(self.requests) if not request.is_answered]

    def next(self, seconds=20):
        """Waits for the request after the one that the last call returned, and returns it."""
        eventually(lambda: len(self.requests) > self._next, seconds, "a webhook arrives")
        self._next += 1
        return self.requests[self._next - 1]

    def pause(self):
        """Stops answering; senders wait."""
        self._answering.clear()

    def resume(self):
        """Answers the waiting requests and all later ones."""
        self._answering.set()

    def close(self):
        self._answering.set()
        self._server.shutdown()
        self._server.server_close()
