"""The night on Spark: the steps that an engine past one machine takes, and what they need."""
