"""hls4ml's default recipe and fpgacnn on the same file, side by side."""
