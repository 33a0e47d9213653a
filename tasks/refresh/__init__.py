"""Refresh by day: recompute the lists of users who acted since the night."""
