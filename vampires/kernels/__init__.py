"""Compiled loops on plain arrays: no FITS, no headers, no configuration."""
