"""A night on one page."""
