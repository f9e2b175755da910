from dataclasses import replace

import numpy as np
import pytest

from vampires.canonical import Header
from vampires.errors import MeasurementError, PolarimetryError
from vampires.images.image import CameraImage
from vampires.images.sdi import (
    StarRegion,
    flux_ratio,
    multiband_sdi,
    subtract_continuum,
    swapped_difference,
)
from vampires.instrument.filters import FILTERS

SIZE = 121
GEOMETRY = {1: (5.91, -38.90), 2: (5.895, -38.58)}  # mas, deg
REFERENCE = 656.3  # nm, for which positions are given in pixels of camera 1
FLUX = {"Halpha": 1e5, "Ha-Cont": 3.1e5, "F610": 2e5, "F670": 3e5, "F720": 4e5, "F760": 3.5e5}
COMPANION = (18.0, -22.0)  # (y, x)
REGION = StarRegion(10.0)


def gaussian(y, x, width):
    grid = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    spot = np.exp(-((grid[0] - y) ** 2 + (grid[1] - x) ** 2) / (2 * width**2))
    return spot / (2 * np.pi * width**2)


def place(camera, y, x):
    """Position of the sky on a camera, from that on camera 1."""
    scale, pupil = GEOMETRY[camera]
    turn = np.deg2rad(GEOMETRY[1][1] - pupil)
    y, x = y * np.cos(turn) + x * np.sin(turn), x * np.cos(turn) - y * np.sin(turn)
    return y * GEOMETRY[1][0] / scale, x * GEOMETRY[1][0] / scale


def scene(camera, band, line=0.0, continuum=0.0, ghost=0.0):
    """Star and speckles that grow with wavelength, a companion that does not, a camera's ghost."""
    stretch = FILTERS[band].mean / REFERENCE
    rng = np.random.default_rng(5)
    width = 1.7 * stretch * GEOMETRY[1][0] / GEOMETRY[camera][0]
    star = gaussian(0, 0, width)
    for y, x in rng.uniform(-38, 38, (80, 2)):
        star += 1e-3 * gaussian(*place(camera, y * stretch, x * stretch), width)
    contrast = continuum + (line if band == "Halpha" else 0.0)
    star += contrast * gaussian(*place(camera, *COMPANION), width)
    if ghost and camera == 1:
        star += ghost * gaussian(-30, 10, width)
    return FLUX[band] * star


def image_of(planes, camera, bands, noise=0.0, seed=0):
    data = (
        np.stack(planes)
        + np.random.default_rng(seed).normal(0, 1, (len(bands), SIZE, SIZE)) * noise
    )
    header = Header(
        {
            "U_CAMERA": camera, "FILTER": bands[0] if len(bands) == 1 else "MBI",
            "PXSCALE": GEOMETRY[camera][0], "INST-PA": GEOMETRY[camera][1],
            "DEROTANG": 10 + GEOMETRY[camera][1] - GEOMETRY[1][1], "MJD": 60000.0,
            "NCOADD": 5, "TINT": 1.0,
        }
    )  # fmt: skip
    planes = [a.astype(np.float32) for a in (data, np.full_like(data, noise**2), 0 * data)]
    return CameraImage(*planes, np.ones(data.shape, np.int32), header, bands)


def narrow(camera, band, noise=0.0, seed=0, **sources):
    return image_of([scene(camera, band, **sources)], camera, (band,), noise, seed)


def rms(data, inner, outer, away_from=None):
    grid = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    r = np.hypot(*grid)
    inside = (r >= inner) & (r < outer) & np.isfinite(data)
    if away_from is not None:
        inside &= np.hypot(grid[0] - away_from[0], grid[1] - away_from[1]) > 9
    return float(np.sqrt(np.mean(data[inside].astype(float) ** 2)))


def companion_flux(data):
    grid = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    near = np.hypot(grid[0] - COMPANION[0], grid[1] - COMPANION[1])
    return float(
        data[near < 7].sum() - np.median(data[(near > 8) & (near < 11)]) * (near < 7).sum()
    )


def test_the_star_goes_and_the_line_companion_stays():
    line, continuum = narrow(1, "Halpha", line=0.01), narrow(2, "Ha-Cont")
    out = subtract_continuum(line, continuum, REGION)
    assert rms(out.difference[0], 0, 12) < 0.01 * rms(line.data[0], 0, 12)
    halo = rms(out.difference[0], 12, 40, COMPANION)
    assert halo < 0.01 * rms(line.data[0], 12, 40, COMPANION)
    assert companion_flux(out.difference[0]) == pytest.approx(0.01 * FLUX["Halpha"], rel=0.01)
    assert out.header["SDISCALE"] == pytest.approx(FLUX["Halpha"] / FLUX["Ha-Cont"], rel=1e-3)
    assert out.header["SDIMAGN"] == pytest.approx(656.3 / 647.7)
    assert (out.header["FILTER"], out.header["SDICONT"]) == ("Halpha", "Ha-Cont")


def test_matching_geometry_and_wavelength_is_what_removes_the_halo():
    line, continuum = narrow(1, "Halpha"), narrow(2, "Ha-Cont")
    ratio, _ = flux_ratio(line, continuum, REGION)
    naive = line.data[0] - ratio * continuum.data[0]
    matched = subtract_continuum(line, continuum, REGION).difference[0]
    assert rms(matched, 12, 40) < 0.1 * rms(naive, 12, 40)


def test_swapping_the_filters_halves_what_belongs_to_a_camera():
    sources = {"line": 0.01, "ghost": 3e-3}
    one = narrow(1, "Halpha", **sources)
    before = subtract_continuum(one, narrow(2, "Ha-Cont", **sources), REGION, one.header)
    after = subtract_continuum(
        narrow(2, "Halpha", **sources), narrow(1, "Ha-Cont", **sources), REGION, one.header
    )
    both = swapped_difference(before, after)
    grid = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    ghost = np.hypot(grid[0] + 30, grid[1] - 10) < 6
    assert abs(both.difference[0][ghost].sum()) < 0.05 * abs(before.difference[0][ghost].sum())
    assert companion_flux(both.difference[0]) == pytest.approx(0.01 * FLUX["Halpha"], rel=0.01)
    assert both.header["PXSCALE"] == one.header["PXSCALE"]
    assert {"SDISCAL1", "SDISCAL2", "SDISCER1", "SDISCER2"} <= set(both.header)
    with pytest.raises(PolarimetryError, match="differ in size"):
        swapped_difference(before, replace(after, difference=after.difference[..., 1:]))


def test_errors_agree_with_scatter():
    seen = []
    for seed in range(40):
        out = subtract_continuum(
            narrow(1, "Halpha", 3.0, seed), narrow(2, "Ha-Cont", 5.0, seed + 1000), REGION
        )
        seen.append((out.difference[0], out.header["SDISCALE"]))
    scatter = np.std([difference for difference, _ in seen], axis=0)
    inner = np.s_[20:100, 20:100]
    assert np.median(scatter[inner] / out.error[0][inner]) == pytest.approx(1, abs=0.03)
    # interpolation correlates the noise, so that of a sum comes out low
    scale_error = np.std([scale for _, scale in seen])
    assert scale_error == pytest.approx(out.header["SDISCERR"], rel=0.3)


def test_a_coronagraph_compares_the_halo():
    line, continuum = narrow(1, "Halpha"), narrow(1, "Ha-Cont")
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    line.data[0, np.hypot(y, x) < 8] *= 0.5  # the mask's leak is not the same in both filters
    ratio, _ = flux_ratio(line, continuum, StarRegion(40.0, 12.0))
    assert ratio == pytest.approx(FLUX["Halpha"] / FLUX["Ha-Cont"], rel=0.03)


def test_masked_pixels_are_left_out_of_both_and_no_star_is_an_error():
    line, continuum = narrow(1, "Halpha"), narrow(1, "Ha-Cont")
    expected, _ = flux_ratio(line, continuum, REGION)
    line.data[0, 60, 58:63] = np.nan
    assert flux_ratio(line, continuum, REGION)[0] == pytest.approx(expected, rel=0.01)
    with pytest.raises(MeasurementError, match="phot_aper_rad"):
        flux_ratio(line, replace(continuum, data=-continuum.data), REGION)
    with pytest.raises(MeasurementError, match="phot_aper_rad"):
        flux_ratio(line, continuum, StarRegion(80.0))


def test_multiband_removes_the_speckles_and_keeps_the_companion():
    bands = ("F610", "F670", "F720", "F760")
    companion = 0.004
    image = image_of([scene(1, band, continuum=companion) for band in bands], 1, bands)
    empty = image_of([scene(1, band) for band in bands], 1, bands)
    out, nothing = multiband_sdi(image, REGION), multiband_sdi(empty, REGION)
    for i in (1, 2):
        star = rms(empty.data[i], 12, 36)
        assert rms(nothing.difference[i], 12, 36) < 0.02 * star
        kept = out.difference[i] - nothing.difference[i]
        grid = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
        core = np.hypot(grid[0] - COMPANION[0], grid[1] - COMPANION[1]) < 1.5
        injected = (image.data - empty.data)[i]
        # at 28 px it moves by two to five pixels between the bands and subtracts itself in part
        assert kept[core].sum() > 0.5 * injected[core].sum()
    assert out.difference.shape == (4, SIZE, SIZE)
    assert out.fields == bands
    with pytest.raises(PolarimetryError, match="one field"):
        multiband_sdi(narrow(1, "Halpha"), REGION)


def test_multiband_errors_agree_with_scatter():
    bands = ("F720", "F760")
    planes = [scene(1, band) for band in bands]
    outs = [multiband_sdi(image_of(planes, 1, bands, 4.0, seed), REGION) for seed in range(60)]
    scatter = np.std([out.difference for out in outs], axis=0)[:, 25:95, 25:95]
    assert np.median(scatter / outs[0].error[:, 25:95, 25:95]) == pytest.approx(1, abs=0.03)
