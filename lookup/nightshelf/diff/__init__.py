"""Comparison of two generations."""
