"""Facts about VAMPIRES and the Subaru telescope, each with its source.

The numbers are in the tables of ``data/``; small frozen classes read them: `detectors`,
`filters` and `curves`, `optics`, `telescope`, `fields`, and `earth` for the turning sky.
"""
