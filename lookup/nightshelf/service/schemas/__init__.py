"""Schemas of the HTTP service: bodies of requests and responses."""
