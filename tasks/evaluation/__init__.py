"""Quality of lists as served: metrics, backtest, gates."""
