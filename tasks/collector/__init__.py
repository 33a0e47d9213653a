"""The collector: tracked events from the Redis stream to Parquet files of the log."""
