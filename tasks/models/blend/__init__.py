"""Blend: a weighted sum of ALS, graph and recent popularity."""
