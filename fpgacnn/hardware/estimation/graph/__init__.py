"""The graph that the estimate reads: calls of hls4ml templates, from a `Design` or from a project folder."""
