"""Write FITS images that do not fit in memory, block by block: the only such writer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vampires.io.atomic import atomic_path
from vampires.io.cards import BLOCK, format_cards
from vampires.io.products import product_header
from vampires.utils.cards import Cards

Float32 = NDArray[np.float32]
Part = tuple[int, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class StreamedImage:
    """An image of a FITS file whose pixels come later.

    Parameters
    ----------
    shape : tuple of int
        Of the whole image, slowest axis first.
    header : Cards
        Its cards, without structural ones: these are made here.
    name : str
        Of an extension; empty for the primary image.
    unsigned : bool
        Stored as 16-bit unsigned numbers instead of 32-bit floats.
    """

    shape: tuple[int, ...]
    header: Cards
    name: str = ""
    unsigned: bool = False

    @property
    def size(self) -> int:
        """Bytes of all pixels."""
        return int(np.prod(self.shape)) * (2 if self.unsigned else 4)

    def head(self, extended: bool) -> bytes:
        """Header block; `extended` tells whether extensions follow."""
        cards = Cards()
        if self.name:
            cards["XTENSION"] = ("IMAGE", "image extension")
        else:
            cards["SIMPLE"] = (True, "conforms to FITS standard")
        cards["BITPIX"] = (16 if self.unsigned else -32, "array data type")
        cards["NAXIS"] = (len(self.shape), "number of array dimensions")
        for axis, length in enumerate(reversed(self.shape), start=1):
            cards[f"NAXIS{axis}"] = length
        if self.name:
            cards["PCOUNT"], cards["GCOUNT"], cards["EXTNAME"] = 0, 1, self.name
        elif extended:
            cards["EXTEND"] = True
        cards.update(self.header)
        cards.prose = self.header.prose
        if self.unsigned:
            cards["BSCALE"], cards["BZERO"] = 1, 32768
        return format_cards(cards)

    def encode(self, block: np.ndarray) -> bytes:
        """Bytes of some pixels as they are stored."""
        if self.unsigned:
            # Unsigned numbers are stored less 32768: only the top bit changes.
            return bytes((block ^ np.uint16(0x8000)).astype(">u2").tobytes())
        return np.asarray(block, dtype=">f4").tobytes()


def write_images(
    path: Path, images: list[StreamedImage], parts: Iterable[tuple[np.ndarray, ...]]
) -> None:
    """Write images side by side as their pixels come.

    Parameters
    ----------
    path : Path
        File to write; the caller sees to atomicity.
    images : list of StreamedImage
        The primary image, then extensions.
    parts : iterable of tuple of ndarray
        Pixels of each image, in order.

    Raises
    ------
    ValueError
        The parts do not make up the images.
    """
    heads = [image.head(extended=len(images) > 1) for image in images]
    with path.open("wb") as stream:
        places, end = [], 0
        for image, head in zip(images, heads, strict=True):
            stream.seek(end)
            stream.write(head)
            places.append(end + len(head))
            end = places[-1] + -(-image.size // BLOCK) * BLOCK
        stream.truncate(end)
        firsts = list(places)
        for blocks in parts:
            for index, (image, block) in enumerate(zip(images, blocks, strict=True)):
                stream.seek(places[index])
                places[index] += stream.write(image.encode(block))
    for image, first, place in zip(images, firsts, places, strict=True):
        if place - first != image.size:
            raise ValueError(
                f"{path}: {place - first} bytes of pixels came for an image of {image.size}"
            )


def write_cube(
    path: str | Path, shape: tuple[int, ...], header: Cards, parts: Iterable[Part]
) -> None:
    """Write a float32 cube with its errors as the parts come.

    Parameters
    ----------
    path : str or Path
        Target; appears only when complete. Primary data and an ``ERR`` extension.
    shape : tuple of int
        Of the whole cube, frames first.
    header : Cards
        Header of the primary data.
    parts : iterable of (start, data, variance)
        Number of the first frame, and arrays of shape ``(k, *shape[1:])``, in order.

    Raises
    ------
    ValueError
        The parts do not make up the cube.
    """
    images = [
        StreamedImage(shape, product_header(header)),
        StreamedImage(shape, Cards(), "ERR"),
    ]
    with atomic_path(path) as temporary:
        write_images(temporary, images, ((data, _error(variance)) for _, data, variance in parts))


def stream_fits(
    path: Path, shape: tuple[int, ...], header: Cards, planes: Iterator[Float32]
) -> None:
    """Write a FITS image plane by plane; the caller sees to atomicity."""
    image = StreamedImage(shape, product_header(header))
    write_images(path, [image], ((plane,) for plane in planes))


def _error(variance: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt(np.maximum(variance, 0)))
