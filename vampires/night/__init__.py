"""From the raw files of a night to groups of exposures, masters and sets."""
