"""Angles, robust statistics, threads."""
