"""Floor 7: the order of the steps, written once, and the record of a run."""
