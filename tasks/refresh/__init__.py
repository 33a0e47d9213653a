"""Refresh by day: new lists for users who have acted since the night."""
