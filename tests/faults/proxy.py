"""A TCP proxy on loopback that cuts connections after a given number of bytes."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import select
from socket import AF_INET, SHUT_RDWR, SOCK_STREAM, create_connection, socket

_CHUNK = 65_536


class Proxy:
    """Passes bytes both ways; each new connection takes the next of `cuts`.

    A cut is the number of bytes that pass, both ways together, before both ends are closed. When
    none is left connections are let be. `n_cut` counts the cuts that came about, `n_bytes` what
    has passed.
    """

    def __init__(self, port: int, listener: socket) -> None:
        self.port: int = listener.getsockname()[1]
        self.cuts: list[int] = []
        self.n_cut = self.n_bytes = 0
        self._upstream = ("127.0.0.1", port)
        self._listener = listener

    def serve(self) -> None:
        """Accept connections until the listener is shut down."""
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                left = self.cuts.pop(0) if self.cuts else math.inf
                threading.Thread(target=self._carry, args=(near, left)).start()

    def _carry(self, near: socket, left: float) -> None:
        with near, suppress(OSError), create_connection(self._upstream) as far:
            other = {near: far, far: near}
            while left > 0:
                for source in select([near, far], [], [])[0]:
                    data = source.recv(int(min(_CHUNK, left)))
                    if not data:
                        return
                    left -= len(data)
                    self.n_bytes += len(data)
                    other[source].sendall(data)
            self.n_cut += 1


@contextmanager
def cutting(port: int) -> Iterator[Proxy]:
    """Run a proxy before a server's port; its connections must be closed before it ends."""
    with socket(AF_INET, SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        proxy = Proxy(port, listener)
        server = threading.Thread(target=proxy.serve)
        server.start()
        try:
            yield proxy
        finally:
            listener.shutdown(SHUT_RDWR)
            server.join()
