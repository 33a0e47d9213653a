"""The watch: figures against rules, incidents with a dwell time, and messages about them."""
