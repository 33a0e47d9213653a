"""Compiled loops of the graph model."""
