"""Convert designs to HLS C++ projects, through hls4ml."""
