"""The command `explore`: Pareto fronts of quality against hardware, over widths, reuse, strategies and io types."""
