"""Polarimetry: light path, HWP cycles, Stokes frames and difference images."""
