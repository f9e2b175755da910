"""What is made of frames: aligned, coadded, derotated, subtracted, combined."""
