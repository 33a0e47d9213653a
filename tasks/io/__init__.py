"""Files, threads, child processes, DuckDB sessions and compiled code: what every step builds on."""
