"""The report of a night: figures, charts, Markdown and HTML."""
