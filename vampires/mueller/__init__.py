"""The light path through telescope and instrument, and its Mueller matrices."""
