"""Rules that change exact lists: exposure cap, exploration, MMR."""
