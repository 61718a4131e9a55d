"""Designs become HLS C++ projects, through hls4ml."""
