"""Raw frames with their canonical headers, of files or of an array in memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData

from vampires.errors import FileError
from vampires.header import Header, normalize_header
from vampires.io.frames import FrameSource, open_frames
from vampires.night.raw import HeaderIndex


def opened_files(
    paths: Sequence[str | Path], exclude: Mapping[str, Sequence[int]], index: HeaderIndex
) -> tuple[FrameSource, tuple[Header, ...]]:
    """Frames of files, some left out, and the header of each file; see `CameraCube.open`."""
    files = [index.file(path) for path in paths]
    source = open_frames([file.layout for file in files])
    if exclude:
        source = source.select(_not_excluded(source, exclude))
    return source, tuple(file.header for file in files)


def opened_ccd(ccd: CCDData, name: str) -> tuple[FrameSource, Header]:
    """Frames in memory and their header; see `CameraCube.from_ccddata`."""
    if ccd.unit != "adu" or ccd.uncertainty is not None:
        raise FileError(
            f"{name}: frames in {ccd.unit or 'no unit'}"
            f"{'' if ccd.uncertainty is None else ' with an uncertainty'}; expected raw "
            "numbers in adu, bias included, without one (it follows from the noise model)"
        )
    source = FrameSource.from_array(ccd.data, name)
    raw = fits.Header(ccd.header, copy=True)
    raw.update({"NAXIS": 3, "NAXIS1": source.nx, "NAXIS2": source.ny, "NAXIS3": source.n})
    header = normalize_header(raw, name)
    if ccd.mask is not None:
        frames = ccd.data if ccd.data.dtype == np.uint16 else ccd.data.astype(np.float32)
        masked = np.where(ccd.mask, frames.dtype.type(math.ceil(header.saturation)), frames)
        source = FrameSource.from_array(masked, name)
    return source, header


def _not_excluded(source: FrameSource, exclude: Mapping[str, Sequence[int]]) -> np.ndarray:
    keep = np.ones(source.n, dtype=bool)
    for index, path in enumerate(source.paths):
        for name, frames in exclude.items():
            if path.name.startswith(name):
                keep &= ~((source.file_index == index) & np.isin(source.frame_index, frames))
    return keep
