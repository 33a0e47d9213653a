"""Compiled loops of the search for exact lists."""
