"""Decoding of Rice-compressed 16-bit tiles (the ``.fits.fz`` files of the archive).

The archive compresses each image row as one tile. Calling a general decoder once per row
costs more than the decoding, and holds the interpreter lock; here one compiled call decodes
any number of tiles, without the lock.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from vampires.kernels._jit import kernel

_FS_BITS = 4  # bits that hold the split position of a block
_FS_RAW = 14  # this split position marks a block stored without coding


@intrinsic
def _leading_zeros(typingctx: Any, value: Any) -> Any:  # noqa: ARG001
    """Count the leading zero bits of a uint64 (64 for zero) in one machine instruction."""

    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], context.get_constant(types.boolean, False))

    return types.uint64(types.uint64), codegen


@kernel
def _decode_tile(
    code: NDArray[np.uint8], blocksize: int, out: NDArray[np.uint16], offset: np.uint16
) -> bool:
    """Decode one tile; False when the code ends too early."""
    size = code.size
    if size < 2:
        return False
    pixel = (np.int32(code[0]) << 8) | np.int32(code[1])
    position = 2
    window = np.uint64(0)  # the next bits, left aligned
    have = np.int64(0)  # how many of them are valid
    n = out.size
    start = 0
    while start < n:
        stop = min(start + blocksize, n)
        while have <= 56 and position < size:
            window |= np.uint64(code[position]) << np.uint64(56 - have)
            have += 8
            position += 1
        if have < _FS_BITS:
            return False
        split = np.int64(window >> np.uint64(60)) - 1
        window <<= np.uint64(_FS_BITS)
        have -= _FS_BITS
        if split < 0:  # all differences of the block are zero
            for i in range(start, stop):
                out[i] = np.uint16(pixel) ^ offset
            start = stop
            continue
        width = 16 if split == _FS_RAW else split
        tail = np.uint64(63 - width)
        for i in range(start, stop):
            zeros = np.int64(0)
            if split != _FS_RAW:
                lead = np.int64(_leading_zeros(window))
                while lead >= have:  # the run of zeros goes on past the window
                    zeros += have
                    window = np.uint64(0)
                    have = np.int64(0)
                    if position >= size:
                        return False
                    while have <= 56 and position < size:
                        window |= np.uint64(code[position]) << np.uint64(56 - have)
                        have += 8
                        position += 1
                    lead = np.int64(_leading_zeros(window))
                zeros += lead
                window = (window << np.uint64(lead)) << np.uint64(1)
                have -= lead + 1
            while have <= 56 and position < size:
                window |= np.uint64(code[position]) << np.uint64(56 - have)
                have += 8
                position += 1
            if have < width:
                return False
            low = np.int64((window >> np.uint64(1)) >> tail)
            window <<= np.uint64(width)
            have -= width
            mapped = (zeros << width) | low
            # even codes are positive differences, odd codes negative ones
            pixel = np.int32(pixel + ((mapped >> 1) ^ -(mapped & 1)))
            out[i] = np.uint16(pixel) ^ offset
        start = stop
    return True


@kernel
def rice_decode(
    heap: NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    blocksize: int,
    offset: int,
    out: NDArray[np.uint16],
) -> int:
    """Decode Rice-compressed tiles of 16-bit pixels.

    Parameters
    ----------
    heap : ndarray of uint8
        Compressed bytes.
    starts, lengths : ndarray of int64, shape (ntiles,)
        Where in `heap` each tile lies.
    blocksize : int
        Pixels per Rice block (ZVAL of ``BLOCKSIZE``, usually 32).
    offset : int
        Bits to flip in each pixel: 0x8000 adds BZERO = 32768 to a signed number.
    out : ndarray of uint16, shape (ntiles, npixels)
        Filled with the pixels.

    Returns
    -------
    int
        -1, or the index of the first tile that could not be decoded.

    Notes
    -----
    Rice, Yeh & Miller 1993, AIAA-93-4541; layout as in the FITS standard 4.0, section 10.4.1:
    the first pixel in full, then blocks of mapped differences, each a unary high part and
    `split` low bits.
    """
    flip = np.uint16(offset)
    for tile in range(out.shape[0]):
        first = starts[tile]
        if not _decode_tile(heap[first : first + lengths[tile]], blocksize, out[tile], flip):
            return tile
    return -1
