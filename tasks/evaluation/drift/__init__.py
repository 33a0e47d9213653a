"""Drift: a night's distributions and offline quality against the nights before it."""
