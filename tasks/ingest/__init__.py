"""The event log: found, checked against the contract, cleaned, deduplicated, cut into days."""
