"""Features of users and items, and the matrices that models learn from."""
