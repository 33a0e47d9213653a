"""Tuning: a search for settings that list better, judged on days that it has not seen."""
