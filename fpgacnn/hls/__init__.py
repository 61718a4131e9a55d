"""Floor 5: designs become HLS C++ projects, through hls4ml."""
