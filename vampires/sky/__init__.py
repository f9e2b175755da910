"""Target, parallactic angle, Earth orientation, world coordinates."""
