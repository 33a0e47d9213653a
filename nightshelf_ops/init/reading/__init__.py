"""Files and databases as DuckDB tables of text."""
