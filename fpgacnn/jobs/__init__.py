"""Commands that run the pipeline or an engine in other ways: simulate, verify folders, golden vectors, synth, fit."""
