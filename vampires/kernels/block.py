"""The form in which raw frames reach the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RawBlock:
    """Some raw frames, all rows or a band of rows.

    Attributes
    ----------
    data : ndarray, shape (n, rows, nx)
        uint16 as in the detector, or float32 for files that are not 16-bit unsigned.
    big_endian : bool
        True: `data` holds the file's bytes, swapped and without BZERO;
        the number is ``data.byteswap() ^ 0x8000``.
    """

    data: NDArray[Any]
    big_endian: bool

    def native(self) -> NDArray[Any]:
        """Return the detector's numbers as an ordinary array.

        Examples
        --------
        >>> RawBlock(np.array([[[0x0180]]], np.uint16), big_endian=True).native().item()
        1
        """
        return self.data.byteswap() ^ np.uint16(0x8000) if self.big_endian else self.data
