"""A package by name: one of the libraries under test installs another called tests."""
