"""Decoding of Rice-compressed 16-bit tiles (the ``.fits.fz`` files of the archive).

The archive compresses each image row as one tile. Calling a general decoder once per row
costs more than the decoding, and holds the interpreter lock; here one compiled call decodes
any number of tiles, without the lock.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from vampires.kernels._jit import kernel

_FS_BITS = 4  # bits that hold the split position of a block
_FS_RAW = 14  # this split position marks a block stored without coding
_AHEAD = 8  # bytes loaded before they are needed
_SPARE = 2 * _AHEAD  # bytes that are read past the end of a tile


@intrinsic
def _leading_zeros(typingctx: Any, value: Any) -> Any:  # noqa: ARG001
    """Count the leading zero bits of a uint64 (64 for zero) in one machine instruction."""

    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], context.get_constant(types.boolean, False))

    return types.uint64(types.uint64), codegen


@intrinsic
def _next_bits(typingctx: Any, code: Any, position: Any) -> Any:  # noqa: ARG001
    """Load eight bytes from a place of an array, the first of them the highest."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        place = builder.gep(array.data, [args[1]])
        word = builder.bitcast(place, ir.IntType(64).as_pointer())
        return builder.bswap(builder.load(word, align=1))

    return types.uint64(code, types.int64), codegen


@kernel
def _decode_tile(
    code: NDArray[np.uint8],
    length: int,
    blocksize: int,
    out: NDArray[np.uint16],
    offset: np.uint16,
) -> bool:
    """Decode one tile of `length` bytes, with `_SPARE` more to read; False when it ends early.

    `window` holds the next bits, left aligned, `have` of them for certain. It is filled up
    eight bytes at a time, without a branch: bytes that do not fit whole are loaded again.
    """
    if length < 2:
        return False
    pixel = (np.int32(code[0]) << 8) | np.int32(code[1])
    position = np.int64(2)
    window = np.uint64(0)
    have = np.int64(0)
    n = out.size
    start = 0
    while start < n:
        stop = min(start + blocksize, n)
        if position > length + _AHEAD:
            return False
        window |= _next_bits(code, position) >> np.uint64(have)
        position += (63 - have) >> 3
        have |= 56
        split = np.int64(window >> np.uint64(64 - _FS_BITS)) - 1
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
            if position > length + _AHEAD:
                return False
            window |= _next_bits(code, position) >> np.uint64(have)
            position += (63 - have) >> 3
            have |= 56
            zeros = np.int64(0)
            if split != _FS_RAW:
                zeros = np.int64(_leading_zeros(window))
                if zeros + 1 + width > have:
                    zeros, position, window, have = _long_run(code, length, position, window, have)
                    if position > length + _AHEAD:
                        return False
                else:
                    window = (window << np.uint64(zeros)) << np.uint64(1)
                    have -= zeros + 1
            low = np.int64((window >> np.uint64(1)) >> tail)
            window <<= np.uint64(width)
            have -= width
            mapped = (zeros << width) | low
            # even codes are positive differences, odd codes negative ones
            pixel = np.int32(pixel + ((mapped >> 1) ^ -(mapped & 1)))
            out[i] = np.uint16(pixel) ^ offset
        start = stop
    return bool(8 * position - have <= 8 * length)


@kernel
def _long_run(
    code: NDArray[np.uint8], length: int, position: np.int64, window: np.uint64, have: np.int64
) -> tuple[np.int64, np.int64, np.uint64, np.int64]:
    """Pass over a run of zeros and the one that ends it, however long, and fill the window.

    Returns the number of zeros, and the position, the window and what it holds after them.
    """
    zeros = np.int64(0)
    while position <= length + _AHEAD:
        lead = np.int64(_leading_zeros(window))
        if lead < have:
            window = (window << np.uint64(lead)) << np.uint64(1)
            have -= lead + 1
            window |= _next_bits(code, position) >> np.uint64(have)
            position += (63 - have) >> 3
            return zeros + lead, position, window, have | 56
        zeros += have
        window = _next_bits(code, position)
        have = np.int64(56)
        position += 7
    return zeros, np.int64(length + _AHEAD + 1), window, have


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
        first, length = starts[tile], lengths[tile]
        code = heap[first : first + length + _SPARE]
        if code.size < length + _SPARE:  # the last tiles of the heap
            code = np.zeros(length + _SPARE, np.uint8)
            code[:length] = heap[first : first + length]
        if not _decode_tile(code, length, blocksize, out[tile], flip):
            return tile
    return -1
