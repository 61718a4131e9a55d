"""Run hls4ml's documented default recipe on a model file, in a process of its own with limits.

Nothing of it is used for projects of fpgacnn: `fpgacnn compare-hls4ml` shows its result beside one.
"""
