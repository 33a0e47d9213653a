"""Logic shared by `Shelf` and `AsyncShelf`: generators that yield needs and are sent replies.

Nothing here opens a socket or waits (docs/decisions/0018-client.md).
"""
