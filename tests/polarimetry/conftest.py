"""A small sky seen through light paths written out here by hand, not with the package's algebra."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits

from vampires.image import CameraImage

IDEAL = {"hwp": (0.5, 0, 0), "imr": (0.5, 0, 0), "optics": (0, 0, 0), "flc": (0.5, 0, 0)}
REAL = {
    "hwp": (0.476, 0, 1.770),
    "imr": (0.479, 0, 4.441),
    "optics": (-0.205, 0.004, -27.460),
    "flc": (0.261, 0, -8.118),
}


def _rot(deg):
    c, s = np.cos(2 * np.radians(deg)), np.sin(2 * np.radians(deg))
    return np.array([[1, 0, 0, 0], [0, c, s, 0], [0, -s, c, 0], [0, 0, 0, 1]])


def _element(waves, e, angle):
    d, k = 2 * np.pi * waves, np.sqrt(1 - e * e)
    core = [
        [1, e, 0, 0],
        [e, 1, 0, 0],
        [0, 0, k * np.cos(d), k * np.sin(d)],
        [0, 0, -k * np.sin(d), k * np.cos(d)],
    ]
    return _rot(-angle) @ np.array(core) @ _rot(angle)


def light_path_row(parts, camera, hwp, imr, altitude, pa, flc, switch=45.0):
    """First Mueller row, element by element."""
    m = _element(*parts.get("m3", (0.5, 0, 0))) @ _rot(pa)
    m = _rot(-altitude) @ m
    m = _element(parts["hwp"][0], parts["hwp"][1], hwp + parts["hwp"][2]) @ m
    m = _element(parts["imr"][0], parts["imr"][1], imr + parts["imr"][2]) @ m
    m = _element(*parts["optics"]) @ m
    if flc in "AB":
        turn = switch if flc == "B" else 0.0
        m = _element(parts["flc"][0], parts["flc"][1], turn + parts["flc"][2]) @ m
    return m[0] + (1 if camera == 1 else -1) * m[1]


def sky(size=41, contrast=0.02, star_q=0.0, star_u=0.0):
    """Star and azimuthally polarised ring, north up: (I, Q, U)."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    r, phi = np.hypot(y, x), np.arctan2(-x, y)
    star = 1000 * np.exp(-(r**2) / 8) + 20 / (1 + (r / 4) ** 2)
    ring = contrast * 1000 * np.exp(-((r - 11) ** 2) / 12)
    intensity = star + 3 * ring
    return np.array(
        [
            intensity,
            -ring * np.cos(2 * phi) + star_q * intensity,
            -ring * np.sin(2 * phi) + star_u * intensity,
        ]
    )


@dataclass
class Night:
    """Makes coadds of a set in the pupil frame."""

    parts: dict
    scene: np.ndarray
    derotang: tuple[float, ...] = (90.0, 90.0, 180.0, 180.0)
    gains: tuple[float, float] = (1.0, 1.0)
    switch: float = 45.0
    flcs: tuple[str, ...] = ("A", "B")
    start: float = 59634.25
    drift: float = 1.0
    scales: tuple[float, float] = (6.24, 6.24)

    def __call__(self, rng=None, read_variance=0.0, systematic=None, seeing=None):
        images = []
        for visit, hwp in enumerate((0.0, 45.0, 22.5, 67.5)):
            for flc in self.flcs:
                for camera in (1, 2):
                    images.append(
                        self._image(visit, hwp, flc, camera, rng, read_variance, systematic, seeing)
                    )
        return images

    def _image(self, visit, hwp, flc, camera, rng, read_variance, systematic, seeing):
        angle = self.derotang[visit]
        moved = self.drift * visit
        pa, altitude, imr, sync = angle + 78.6, 60.0 + moved, 94.5 + moved / 2, 12.0 + 3 * moved
        row = light_path_row(self.parts, camera, hwp + sync, imr, altitude, pa, flc, self.switch)[
            :3
        ]
        brightness = 1.0 if seeing is None else seeing[visit, self.flcs.index(flc)]
        image = self.gains[camera - 1] * brightness * np.tensordot(row, self.scene, 1)
        image = turn_back(image, angle)
        variance = np.full(image.shape, read_variance)
        if rng is not None:
            image = image + rng.normal(0, np.sqrt(read_variance), image.shape)
        common = np.zeros(image.shape)
        if systematic is not None:
            maps, sigma = systematic
            image, common = image + maps[camera - 1], np.full(image.shape, sigma**2)
        header = fits.Header()
        mjd = self.start + visit * 75 / 86400
        header.update(
            {
                "OBJECT": "TEST", "U_CAMERA": camera, "U_FLC": flc, "U_FLCST": "IN",
                "RET-ANG1": hwp, "HWPSYNC": True, "HWPSYNCA": sync, "IMRANG": imr,
                "ALT_MID": altitude, "AZ_MID": 330.0, "PA": pa, "DEROTANG": angle, "MJD": mjd,
                "MJD-STR": mjd - 35 / 86400, "MJD-END": mjd + 35 / 86400,
                "PXSCALE": self.scales[camera - 1], "TARG-RA": 73.941025, "TARG-DEC": 30.551192,
                "NCOADD": 100, "TINT": 50.0,
                "EXPTIME": 0.5, "FRAMEID": f"T{visit}{flc}{camera}",
            }
        )  # fmt: skip
        as32 = [a[None].astype(np.float32) for a in (image, variance, common)]
        count = np.ones(as32[0].shape, dtype=np.int32)
        return CameraImage(*as32, count, header, ("750-50",))


def with_noise(images, rng, sigma):
    """The same images with fresh normal noise."""
    return [
        replace(i, data=i.data + rng.normal(0, sigma, i.data.shape).astype(np.float32))
        for i in images
    ]


def turn_back(image, angle):
    """Undo a counter-clockwise turn: exactly for right angles, else by a fine spline."""
    if angle % 90 == 0:
        return np.rot90(image, round(angle / 90)).copy()
    from scipy.ndimage import rotate

    return rotate(image, angle, reshape=False, order=5, mode="nearest")


@pytest.fixture(scope="session")
def toy():
    """The functions and constants of this file."""
    return SimpleNamespace(
        IDEAL=IDEAL,
        REAL=REAL,
        light_path_row=light_path_row,
        sky=sky,
        Night=Night,
        with_noise=with_noise,
    )
