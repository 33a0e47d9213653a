"""Figures of the collected event log, for the dashboard."""
