"""From counts to physical fluxes, and what they say: calibration, noise, contrast."""
