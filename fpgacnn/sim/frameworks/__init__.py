"""Run other frameworks on a model file, in a process of their own with limits.

The framework loads the original file with its own loader, so that its answers share nothing with fpgacnn's reader.
The process of fpgacnn imports nothing of a framework.
"""
