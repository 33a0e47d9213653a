"""Lists: exact top-N under a category cap, similar items, popularity fallbacks."""
