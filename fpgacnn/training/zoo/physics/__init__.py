"""Networks for detectors of particle physics."""
