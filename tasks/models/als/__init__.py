"""Implicit-feedback ALS: training, warm start, fold-in, reasons."""
