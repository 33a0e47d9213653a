"""Diagnosis of a namespace and its Redis server."""
