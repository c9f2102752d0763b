"""Threads that create members without a pause and record which creations were answered."""
import threading
import time
from http.client import HTTPException


class MemberWriter(threading.Thread):
    """Creates members of a customer until `stop` is called, the connection breaks or a creation is refused.

    `created` maps the id of each member whose creation was answered with 201 to its e-mail address.
    `answered_at` has the time (time.monotonic()) of each of these answers. `failure` tells why the thread ended
    by itself: a refused creation, or a broken connection unless `expects_disconnect`.
    """

    def __init__(self, server, token, customer, name, expects_disconnect=False):
        super().__init__(name=name, daemon=True)
        self._connection = server.connect(token)
        self._customer, self._prefix, self._expects_disconnect = customer, name, expects_disconnect
        self._stop_requested = threading.Event()
        self.created, self.answered_at, self.failure = {}, [], None

    def stop(self):
        self._stop_requested.set()

    def run(self):
        number = 0
        while not self._stop_requested.is_set() and self.failure is None:
            number += 1
            email = f"{self._prefix}.{number}@example.com"
            try:
                answer = self._connection.call("POST", "/v1/members/", {"customer_id": self._customer, "email": email})
            except (OSError, HTTPException) as error:
                if not self._expects_disconnect:
                    self.failure = f"creating {email}: {error!r}"
                break
            if answer.status == 201:
                self.answered_at.append(time.monotonic())
                self.created[answer.json()["id"]] = email
            else:
                self.failure = f"creating {email}: {answer.status} {answer.text[:200]}"
        self._connection.close()
