"""Recent popularity as a model: the same for every user."""
