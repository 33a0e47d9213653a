"""Messages of the watch by Prefect's notification blocks."""

from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block

from tasks.watch.message import Message
from tasks.watch.receivers import apprise_senders
from tasks.watch.send import Send, SendFailed
from tasks.watch.settings import WatchSettings


def senders_of(settings: WatchSettings) -> dict[str, Send]:
    """Return a sender for each receiver in the settings, by its name."""
    blocks = {f"block {name}": _sender(name) for name in settings.notify_blocks}
    return apprise_senders(settings.notify) | blocks


def _sender(name: str) -> Send:
    def send(message: Message) -> None:
        try:
            block = Block.load(name)
            if not isinstance(block, NotificationBlock):
                raise SendFailed("it is no notification block")
            with block.raise_on_failure():
                block.notify(message.body, message.title)  # type: ignore[unused-coroutine]
        except SendFailed:
            raise
        except Exception as error:
            raise SendFailed(_reason(name, error)) from None  # its text may hold an address

    return send


def _reason(name: str, error: Exception) -> str:
    if isinstance(error, ValueError):
        return f"Prefect knows no block {name}: expected <type>/<name>, as slack-webhook/on-call"
    return type(error).__name__
