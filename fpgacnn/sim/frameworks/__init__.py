"""Other people's frameworks answer for a model file, in a process of their own with limits.

The framework loads the original file with its own loader, so that its answers share nothing with fpgacnn's reader.
Nothing of a framework is imported by the process that fpgacnn runs in.
"""
