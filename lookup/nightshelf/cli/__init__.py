"""The command `nightshelf`."""
