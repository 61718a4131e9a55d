"""Fewer bits where nothing is promised to be exact: short scales, and scales inside the weights behind them."""
