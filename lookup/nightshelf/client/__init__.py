"""The client: `Shelf` and `AsyncShelf`, and all that a read passes through."""
