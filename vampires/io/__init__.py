"""Bytes on disk: FITS layouts, frames of every format, products, atomic files, paths."""
