"""Stokes frames: from HWP cycles to Q, U and their errors."""
