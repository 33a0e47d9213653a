"""Item-item graph: neighbours of the items in a user's profile."""
