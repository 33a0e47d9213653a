"""Traffic of the sample shop: visits, and choices by the taste that its log was made with.

Pure: the same settings, day and lists give the same visits and choices. Nothing here reads a list
or records an event; `local_system/` does that.
"""
