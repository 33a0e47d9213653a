"""Compiled loops of SLIM."""
