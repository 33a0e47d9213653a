"""Choice of tonight's blend by a backtest on the last days of the log."""
