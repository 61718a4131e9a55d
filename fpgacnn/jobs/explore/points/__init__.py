"""What becomes of single points: projects, and trained networks."""
