"""The soak: everything at once on one small shop while Redis and the publishers are tormented.

`make soak MINUTES=10` runs real nights, refreshes and collects (the commands of `flows/`), an
operator who rolls back, releases canaries and blocks items, and readers who read, act and look at
every answer. All of them keep a journal, which `tests/soak/checks.py` judges at the end.
"""
