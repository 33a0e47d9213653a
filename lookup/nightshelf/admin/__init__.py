"""Administration: states of generations, retention, blocking, erasure."""
