"""An HTTP/2 client over TLS, one request at a time. Needs the package h2."""
import socket
import ssl
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events

from harness import REQUEST_SECONDS, Answer


class Http2Connection:
    """One connection that is kept open between requests. Not for use by several threads at once."""

    def __init__(self, base, seconds=REQUEST_SECONDS):
        address = urlsplit(base)
        self._authority = address.netloc
        context = ssl.create_default_context()
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection((address.hostname, address.port), timeout=seconds)
        try:
            self._socket = context.wrap_socket(plain, server_hostname=address.hostname)
        except BaseException:
            plain.close()
            raise
        if self._socket.selected_alpn_protocol() != "h2":
            raise OSError("the server does not speak HTTP/2")
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8", validate_outbound_headers=False,
                                           normalize_outbound_headers=False)
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()
        self._flush()

    @property
    def serial_number(self):
        """The serial number of the server's certificate."""
        return self._socket.getpeercert()["serialNumber"]

    def send(self, method, path, headers=None, body=None):
        """Sends exactly these headers and this body. Raises OSError without an answer."""
        stream = self._connection.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "https"), (":authority", self._authority), (":path", path)]
        fields = [(name.lower(), value) for name, value in (headers or {}).items()]
        self._connection.send_headers(stream, pseudo + fields, end_stream=not body)
        self._flush()
        return self._answer(stream, body or b"")

    def _answer(self, stream, body):
        status, headers, content, is_sent = 0, {}, b"", not body
        while True:
            while not is_sent:
                room = min(self._connection.local_flow_control_window(stream), self._connection.max_outbound_frame_size)
                if room == 0:
                    break
                part, body = body[:room], body[room:]
                is_sent = not body
                self._connection.send_data(stream, part, end_stream=is_sent)
            self._flush()
            received = self._socket.recv(65536)
            if not received:
                raise ConnectionResetError("the server has closed the connection")
            for event in self._connection.receive_data(received):
                if isinstance(event, h2.events.ConnectionTerminated) and event.error_code:
                    raise ConnectionAbortedError(f"the server has ended the connection: {event.error_code}")
                if getattr(event, "stream_id", None) != stream:
                    continue
                if isinstance(event, h2.events.ResponseReceived):
                    headers = dict(event.headers)
                    status = int(headers.pop(":status"))
                elif isinstance(event, h2.events.DataReceived):
                    content += event.data
                    self._connection.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, h2.events.StreamReset) and not status:
                    raise ConnectionAbortedError(f"the server has reset the request: {event.error_code}")
                elif isinstance(event, h2.events.StreamReset):
                    is_sent = True
                elif isinstance(event, h2.events.StreamEnded):
                    self._flush()
                    return Answer(status, headers, content.decode("utf-8", "replace"))

    def _flush(self):
        self._socket.sendall(self._connection.data_to_send())

    def close(self):
        self._socket.close()
