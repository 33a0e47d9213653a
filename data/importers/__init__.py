"""Importers: public logs and CSV files to Parquet in the form of the contract."""
