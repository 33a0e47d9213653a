"""Explanations: a saved model, and the trace of one list through every rule."""
