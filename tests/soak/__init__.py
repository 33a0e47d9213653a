"""The soak: everything at once on one small shop under faults of Redis and the publishers.

`make soak MINUTES=10` runs real nights, refreshes and collects (the commands of `flows/`), an
operator who rolls back, releases canaries and blocks items, and readers who read, act and check
every answer. All of them keep a journal, which `tests/soak/checks.py` judges at the end.
"""
