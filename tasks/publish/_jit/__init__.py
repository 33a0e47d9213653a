"""Compiled loops of encoding."""
