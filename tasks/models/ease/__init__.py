"""EASE: a linear autoencoder over items, in closed form."""
