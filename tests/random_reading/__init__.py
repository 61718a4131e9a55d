"""Random networks that a framework builds, saves and answers itself: what fpgacnn reads must give the same answers."""
