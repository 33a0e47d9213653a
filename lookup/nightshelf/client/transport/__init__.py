"""Connections to Redis: commands out, replies in, within a deadline."""
