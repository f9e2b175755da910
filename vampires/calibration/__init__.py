"""Master frames: made, matched, and turned into what calibrates every pixel."""
