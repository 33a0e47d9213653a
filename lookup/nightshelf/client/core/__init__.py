"""What `Shelf` and `AsyncShelf` have in common: everything but the waiting.

The logic is written once, as generators that yield what they need (a batch of commands, or
another's read to wait for) and are sent the replies; nothing here opens a socket
(docs/decisions/0018-client.md).
"""
