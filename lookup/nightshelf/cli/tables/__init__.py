"""Tables that the command `nightshelf` prints."""
