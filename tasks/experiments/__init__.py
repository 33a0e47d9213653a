"""Experiments as data: definitions, phases of bucket ranges, history, bandit allocation."""
