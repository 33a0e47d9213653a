"""Compiled loops of the iALS model."""
