"""Receivers by Apprise addresses, which are secret: no log, error or name shows more than a scheme.

Apprise: https://github.com/caronc/apprise
"""

import hashlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pydantic import SecretStr

from tasks.watch.message import Message
from tasks.watch.send import Send, SendFailed

_TYPES = {"warning": "warning", "critical": "failure", "ended": "success", "test": "info"}


def apprise_senders(addresses: Sequence[SecretStr]) -> dict[str, Send]:
    """Return a sender for each address, by a name such as ``json-3fa9c2d1``."""
    return {receiver_name(each): _sender(each) for each in addresses}


def receiver_name(address: SecretStr) -> str:
    """Return the scheme of an address and the beginning of its hash.

    >>> receiver_name(SecretStr("json://user:secret@127.0.0.1:8090/"))
    'json-ddf68a2f'
    """
    text = address.get_secret_value()
    scheme = text.partition("://")[0] if "://" in text else "address"
    plain = "".join(letter for letter in scheme if letter.isalnum())[:16] or "address"
    return f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _sender(address: SecretStr) -> Send:
    def send(message: Message) -> None:
        with _silent():
            import apprise  # noqa: PLC0415 - half a second, for the passes that send something

            receiver = apprise.Apprise()
            if not receiver.add(address.get_secret_value()):
                raise SendFailed("Apprise knows no such address; see its documentation")
            kind = apprise.NotifyType(_TYPES[message.kind])
            try:
                accepted = receiver.notify(message.body, message.title, notify_type=kind)
            except Exception as error:
                raise SendFailed(type(error).__name__) from None  # its text may have the address
        if not accepted:
            raise SendFailed("the receiver did not accept it, or did not answer")

    return send


@contextmanager
def _silent() -> Iterator[None]:
    """Log and warn of nothing in the block: libraries that send log addresses, or parts of them."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)
