"""Where the star is, and how good a frame."""
