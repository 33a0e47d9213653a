"""Compiled loops of the ALS model."""
