"""Ports that the processes listen on."""

import socket
from collections.abc import Mapping

from data.schema import InputError


def check_free(ports: Mapping[str, tuple[str, int]]) -> None:
    """Raise `InputError` for ports that are taken: option of make -> (what listens there, port)."""
    taken = {name: of for name, of in ports.items() if not is_free(of[1])}
    chosen = {port for _, port in ports.values()}
    lines = []
    for name, (what, port) in taken.items():
        other = next(
            each for each in range(port + 1, 65536) if each not in chosen and is_free(each)
        )
        chosen.add(other)
        lines.append(f"port {port} ({what}) is taken; choose another: make up {name}={other}")
    if lines:
        raise InputError("\n".join(lines))


def is_free(port: int) -> bool:
    """Tell whether a port of the loopback can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
