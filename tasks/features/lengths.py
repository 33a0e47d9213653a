"""Lengths of a user's lists among the features."""

#: Items viewed last, categories of most weight.
RECENT = 20
FAVOURITES = 3
