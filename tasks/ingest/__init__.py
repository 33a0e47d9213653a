"""Ingestion of the event log: contract, validation, cleaning, deduplication, split by day."""
