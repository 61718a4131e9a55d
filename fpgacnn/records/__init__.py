"""The record of a run, and what is computed from records: resources by source, comparisons, flat tables."""
