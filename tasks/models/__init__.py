"""Models: each learns from the features and gives scores to the lists."""
