"""HTTP/1.1 by uvicorn and httptools, with bounds on heads, slow peers and connections.

uvicorn has no such bounds with httptools (docs/decisions/0036-bounds.md). A request beyond a bound
is answered with a problem document, and its connection closed.
"""

import asyncio
from http import HTTPStatus

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nightshelf.service.access_log import new_request_id
from nightshelf.service.connections import Connections
from nightshelf.service.problems import MEDIA_TYPE, Problem

_TOO_LONG = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
_DETAILS: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "This is no HTTP/1.1 request.",
    HTTPStatus.REQUEST_TIMEOUT: "The request did not arrive whole in time.",
    _TOO_LONG: "The request line and the headers are too long.",
}


class BoundedProtocol(HttpToolsProtocol):
    """One bounded connection; see `bounded_by`.

    It waits for its peer until a request is complete, between requests, while a response is not
    read, and while it is being closed.
    """

    bounds: Connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection, if there is room."""
        self._in_head = False
        self._whole = True  # the newest request, if there is one
        self._refusal = HTTPStatus.BAD_REQUEST
        self._n_head = self._n_body = 0
        self._n_unseen = 0  # bytes since the parser last reported a body or an end
        super().connection_made(transport)  # type: ignore[arg-type]
        if self.bounds.makes_room(len(self.connections)):
            self.bounds.waits(self, True)
        else:
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Unregister the connection."""
        self.bounds.waits(self, False)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which buffers incomplete headers."""
        self._n_unseen += len(data)
        super().data_received(data)
        if self._n_unseen > self.bounds.max_head_bytes:
            self._refuse(_TOO_LONG)

    def on_message_begin(self) -> None:
        """Start to count a request's bytes."""
        super().on_message_begin()
        self._in_head, self._whole = True, False
        self._n_head = self._n_body = 0
        self.bounds.waits(self, True)

    def on_url(self, url: bytes) -> None:
        """Count a part of the request line."""
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header or trailer."""
        self._count_head(len(name) + len(value) + 4)  # its colon, space and end of line
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Pass the request to the app."""
        self._in_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pass on a part of a body; do not wait for the rest of one that is too long."""
        self._n_unseen = 0
        self._n_body += len(body)
        super().on_body(body)
        if self.cycle.response_complete and self._n_body > self.bounds.max_body_bytes:
            self.transport.close()

    def on_message_complete(self) -> None:
        """Stop waiting, unless the app has answered already."""
        self._n_unseen = 0
        self._whole = True
        self.bounds.waits(self, self.cycle.response_complete)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request or the end of the connection."""
        if not self.pipeline:
            self.bounds.waits(self, True)
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Wait for the peer to read."""
        self.bounds.waits(self, True)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop waiting, unless for the rest of a request or the next one."""
        cycle = self.cycle
        self.bounds.waits(self, not self._whole or cycle is None or cycle.response_complete)
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that the parser rejected or that broke a bound."""
        self._refuse(self._refusal)

    def overdue(self) -> None:
        """End an overdue connection, with a response where possible."""
        if self._whole or self.transport.is_closing() or self.flow.write_paused:
            self.drop()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def drop(self) -> None:
        """End the connection at once, without sending the rest."""
        self.bounds.waits(self, False)
        self.connections.discard(self)
        self.transport.abort()

    def _count_head(self, n_bytes: int) -> None:
        self._n_head += n_bytes
        if self._n_head > self.bounds.max_head_bytes:
            self._refusal = _TOO_LONG
            raise httptools.HttpParserError  # the parser raises its own error then

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer the arriving request, if it is next in turn, and close."""
        cycle = self.cycle
        if self.transport.is_closing():
            return
        if cycle is None or cycle.response_complete:
            self.transport.write(self._refused(status))
        elif self._in_head:  # the previous request is being answered: its response is the last
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        else:
            if not (self.pipeline or cycle.response_started):
                self.transport.write(self._refused(status))
            cycle.disconnected = True  # the app waits for the body, and must not answer too
            cycle.message_event.set()
        self.transport.close()
        self.bounds.waits(self, True)

    def _refused(self, status: HTTPStatus) -> bytes:
        request_id = new_request_id()
        self.bounds.metrics.refused(status)
        self.logger.warning("refused: %d %s", status, _DETAILS[status])
        body = Problem(status, _DETAILS[status]).document(request_id)
        head = (
            f"HTTP/1.1 {status:d} {status.phrase}\r\n"
            f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        return head.encode() + body


def bounded_by(connections: Connections) -> type[BoundedProtocol]:
    """Return the protocol for uvicorn's option `http`, within the bounds of `connections`."""
    return type("Bounded", (BoundedProtocol,), {"bounds": connections})
