"""A run folder: its artifacts, its journal, and what a later run takes over."""
