"""Hardware: the HLS code generator, device tables, the estimate, and the reports of vendor tools."""
