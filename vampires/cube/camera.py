"""CameraCube: the frames of one camera, one FLC state and one HWP angle, left on disk.

The pixels are streamed from the raw files by whoever needs them; the methods return new
objects that carry what has been learnt so far (calibration, measurements, selection,
registration), so that a reduction reads as a sentence::

    cube.calibrate(calibrations).measure().select("strehl", 0.2).register().coadd().plot()
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData, VarianceUncertainty

from vampires.calibration.pixels import pixel_calibration, usable_flat
from vampires.calibration.screen import screen
from vampires.config import AnalysisSettings, CalibrateSettings
from vampires.cube.opening import opened_ccd, opened_files
from vampires.errors import CalibrationError, MeasurementError
from vampires.header import Header
from vampires.header.exposure import group_header
from vampires.header.fields import field_centers, field_index, field_size
from vampires.images.alignment import Alignment, align_frames
from vampires.images.coadd import coadd_frames
from vampires.images.counting import COUNTING, LIMIT, THRESHOLD
from vampires.images.image import CameraImage
from vampires.images.mean import mean_image
from vampires.images.recenter import pad_to_diagonal, recenter_image
from vampires.io.frames import DEFAULT_MEMORY, FrameSource
from vampires.io.products import read_header
from vampires.kernels.calibrate import PixelCalibration, calibrate
from vampires.kernels.windows import brightest
from vampires.log import get_logger
from vampires.measure.discs import MARGIN, PSF_SIZE, centre_of_limb, checked_radius, limb_template
from vampires.measure.frames import FrameMetrics, Locator, Measurement, measure_frames
from vampires.measure.plausible import STRAY_SIGMA, impossible_frames, stray_pixels
from vampires.measure.psf import header_psf
from vampires.measure.star import RoughCentroid
from vampires.measure.strehl import EDGE, FieldImage, with_strehl
from vampires.night.raw import NO_INDEX, HeaderIndex
from vampires.sky.export import export_wcs
from vampires.sky.geometry import Target
from vampires.sky.wcs import celestial_wcs, without_wcs
from vampires.utils.html import facts_table
from vampires.utils.text import ascii_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vampires.calibration.set import CalibrationSet
    from vampires.night.grouping import Group
    from vampires.night.matching import Masters

log = get_logger(__name__)

ROUGH_FRAMES = 50
"""Frames of each cube that enter the mean: enough to see the star, quick to read."""


@dataclass(frozen=True)
class CameraCube:
    """A lazy cube of raw frames and what is known about them.

    Parameters
    ----------
    source : FrameSource
        The raw frames, uint16, (n, ny, nx), in the files.
    header : Header
        Canonical header with geometry.
    fields : tuple of str
        The filter of each field on the detector.
    rough : ndarray, shape (nfields, npsfs, 2)
        Rough (y, x) of each PSF, 0-based, calibrated orientation.
    calibration : PixelCalibration, optional
        Master frames at hand for every pixel.
    metrics : FrameMetrics, optional
        Measurements of every frame.
    keep : ndarray of bool, shape (n,), optional
        Frames that passed the selection.
    centers : ndarray, shape (nfields, n, 2), optional
        (y, x) of the star in every frame.
    shifted : bool
        Whether frames are shifted by fractions of a pixel; otherwise cut-outs are whole pixels.
    memory : int
        Bytes that any step may use.
    headers : tuple of Header
        Canonical header of each file.
    masters : dict of str
        Facts of the header about the masters.
    sky_subtracted : bool
        Whether the background is of the sky, not a dark.
    """

    source: FrameSource
    header: Header
    fields: tuple[str, ...]
    rough: np.ndarray
    calibration: PixelCalibration | None = None
    metrics: FrameMetrics | None = None
    keep: np.ndarray | None = None
    centers: np.ndarray | None = None
    shifted: bool = True
    memory: int = DEFAULT_MEMORY
    headers: tuple[Header, ...] = ()
    masters: dict[str, str] = field(default_factory=dict)
    sky_subtracted: bool = False

    @classmethod
    def open(
        cls,
        paths: list[Path] | list[str],
        target: Target | None = None,
        exclude_frames: Mapping[str, Sequence[int]] | None = None,
        memory: int = DEFAULT_MEMORY,
        index: HeaderIndex = NO_INDEX,
    ) -> CameraCube:
        """Open raw files of one camera, FLC state and HWP angle; no pixel is read.

        Parameters
        ----------
        paths : list of Path or str
            In order of time.
        target : Target, optional
            Default: the coordinates in the header.
        exclude_frames : mapping of str to sequence of int, optional
            Frames (0-based) to leave out, by file name or its beginning.
        memory : int
            Bytes that any step may use.
        index : HeaderIndex
            Header index that knows the files: their headers are not read again.

        Returns
        -------
        CameraCube

        Raises
        ------
        FileError, HeaderError
            A file cannot be used; the message names it and says why.
        """
        source, headers = opened_files(paths, exclude_frames or {}, index)
        return cls._of(source, headers, target, memory)

    @classmethod
    def from_ccddata(
        cls,
        ccd: CCDData,
        target: Target | None = None,
        name: str = "array.fits",
        memory: int = DEFAULT_MEMORY,
    ) -> CameraCube:
        """Take raw frames that are in memory, for instance after a function of ``ccdproc``.

        Parameters
        ----------
        ccd : CCDData
            Shape (n, ny, nx), or (ny, nx) for one frame; adu, bias included, raw orientation;
            the header is that of a raw file. Masked pixels count as saturated: they are
            left out of everything.
        target : Target, optional
            Default: the coordinates in the header.
        name : str
            What to call the frames in products and messages.
        memory : int
            Bytes that any step may use.

        Returns
        -------
        CameraCube
            Errors follow from the numbers by the detector's noise model, as for files.

        Raises
        ------
        FileError
            The frames are not in adu, or come with an uncertainty of their own.
        HeaderError
            The header is not one of VAMPIRES.

        Examples
        --------
        >>> raw = CCDData.read("VMPA00021001.fits", unit="adu")  # doctest: +SKIP
        >>> CameraCube.from_ccddata(raw).measure().register().coadd()  # doctest: +SKIP
        """
        source, header = opened_ccd(ccd, name)
        return cls._of(source, (header,), target, memory)

    @classmethod
    def _of(
        cls, source: FrameSource, headers: tuple[Header, ...], target: Target | None, memory: int
    ) -> CameraCube:
        header = group_header(headers, target)
        centers = field_centers(header, source.ny, source.nx)
        rough = np.array([[center] for center in centers.values()])
        return cls(source, header, tuple(centers), rough, headers=headers, memory=memory)

    @classmethod
    def from_group(
        cls,
        group: Group,
        target: Target | None = None,
        memory: int = DEFAULT_MEMORY,
        index: HeaderIndex = NO_INDEX,
    ) -> CameraCube:
        """Open the files of an observation's group."""
        paths = [Path(record["path"]) for record in group.records]
        return cls.open(paths, target, memory=memory, index=index)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of frames, rows and columns."""
        return self.source.n, self.source.ny, self.source.nx

    @property
    def flip(self) -> bool:
        """Whether the camera's rows are reversed to match the sky."""
        return self.header.flip

    @property
    def selected(self) -> np.ndarray:
        """Which frames are used, bool, shape (n,): not those that cannot be data."""
        keep = np.ones(self.source.n, dtype=bool) if self.keep is None else self.keep
        return keep if self.metrics is None else keep & self.metrics.plausible

    def calibrate(self, calibrations: CalibrationSet) -> CameraCube:
        """Attach the master frames that match this cube.

        Parameters
        ----------
        calibrations : CalibrationSet
            Masters to choose from; those that are not there yet are made.

        Returns
        -------
        CameraCube
            The same frames; pixels are calibrated as they are streamed. What is missing is
            logged, and the nominal bias level or no flat stands in.
        """
        masters = calibrations.ready(calibrations.match(self.header))
        for note in masters.missing:
            log.warning("goes on without", object=self.header.object, missing=note)
        return self.with_masters(masters, calibrations.settings)

    def with_masters(
        self, masters: Masters, settings: CalibrateSettings | None = None
    ) -> CameraCube:
        """Attach master frames chosen elsewhere.

        Parameters
        ----------
        masters : Masters
            Master products; without background the nominal bias level is taken, without flat
            none.
        settings : CalibrateSettings, optional
            Whether bad pixels are rebuilt from their neighbours before interpolation
            (``fix_bad_pixels``), single pixels of single frames that stand out are masked
            (``outlier_sigma``), and which masters must be there (``require``).

        Returns
        -------
        CameraCube

        Raises
        ------
        CalibrationError
            A master that is required is missing.
        """
        settings = settings or CalibrateSettings()
        name = Path(self.source.paths[0]).name
        for note in masters.missing:
            if note.split(":")[0] in settings.require:
                raise CalibrationError(f"{name}: [calibrate] require: {note}")
        response = usable_flat(masters.flat)
        if "flat" in settings.require and response is None:
            raise CalibrationError(f"{name}: [calibrate] require: its flat could not be made")
        background = masters.background
        flat = masters.flat if response is not None else None
        used = {"background_file": background, "flat_file": flat}
        cards = {name: ascii_text(path.name) for name, path in used.items() if path is not None}
        if masters.relaxed:
            cards["relaxed"] = "; ".join(masters.relaxed)
        calibration = replace(
            pixel_calibration(self.header, background, response), repair=settings.fix_bad_pixels
        )
        sky = background is not None and (
            read_header(background).known(Header.data_type, "") == "SKYFLAT"
        )
        cube = replace(self, calibration=calibration, masters=cards, sky_subtracted=sky)
        if settings.outlier_sigma == 0:
            return cube
        return replace(cube, source=screen(self.source, calibration, settings.outlier_sigma))

    def with_metrics(self, metrics: FrameMetrics) -> CameraCube:
        """Attach measurements made earlier."""
        return replace(self, metrics=metrics)

    def measure(
        self,
        settings: AnalysisSettings | None = None,
        psfs: np.ndarray | None = None,
        rough: np.ndarray | None = None,
    ) -> CameraCube:
        """Measure every frame: statistics, centroids, photometry, Strehl ratio.

        Parameters
        ----------
        settings : AnalysisSettings, optional
            Window, aperture and which measurements to make.
        psfs : ndarray, shape (nfields, k, k), optional
            Reference PSFs; default: synthetic ones for this camera and filters.
        rough : ndarray, shape (nfields, npsfs, 2), optional
            Rough (y, x) of each PSF; default: the centre of each field.

        Returns
        -------
        CameraCube
            With `metrics`.
        """
        settings = settings or AnalysisSettings()
        rough = self.rough if rough is None else rough
        if psfs is None:
            psfs = np.stack(
                [header_psf(self.header, name, settings.psf_size) for name in self.fields]
            )
        cube = self._with_measurements(rough, psfs, settings)
        if not (settings.strehl and settings.photometry) or cube.measured.shape[1] > 1:
            return cube
        found = with_strehl(cube.measured, self._field_images(), self.header, settings)
        return cube.with_metrics(found)

    def _field_images(self) -> list[FieldImage]:
        """Mean of some frames, one image per field, up to where the next field begins."""
        image = mean_image(
            self.source, self.pixel_calibration, flip=self.flip, frames=ROUGH_FRAMES,
            memory=self.memory,
        )  # fmt: skip
        half = self.crop(min(image.shape))[0] / 2
        parts = []
        for center in field_centers(self.header, *image.shape).values():
            low, left = (max(math.ceil(c - half), 0) for c in center)
            high, right = (math.floor(c + half) + 1 for c in center)
            field = np.asarray(image[low:high, left:right], dtype=float)
            parts.append(FieldImage(field, (low, left), EDGE * half))
        return parts

    def measure_discs(
        self, discs: Sequence[RoughCentroid], settings: AnalysisSettings
    ) -> CameraCube:
        """Measure every frame of a resolved object.

        Parameters
        ----------
        discs : sequence of RoughCentroid
            One per field, each with its radius.
        settings : AnalysisSettings
            The window is made narrower where it would leave the frame; there is no Strehl ratio.

        Returns
        -------
        CameraCube
            With `metrics`: ``dftx`` and ``dfty`` are the centre of the limb.

        Raises
        ------
        MeasurementError
            A radius is missing, or a disc does not fit in the frame.
        """
        rough = np.array([[disc.star] for disc in discs])
        room = np.minimum(rough, np.array(self.shape[1:]) - 1 - rough).min()
        half = min(settings.window_size // 2, int(room))
        radii = [
            checked_radius(disc, name, half) for disc, name in zip(discs, self.fields, strict=True)
        ]
        window = 2 * half + 1
        templates = [
            limb_template(radius, header_psf(self.header, name, PSF_SIZE), window + MARGIN)
            for radius, name in zip(radii, self.fields, strict=True)
        ]
        settings = replace(settings, window_size=window, strehl=False)
        locate = partial(centre_of_limb, radius=float(np.mean(radii)))
        return self._with_measurements(rough, np.stack(templates), settings, locate)

    def select(self, metric: str = "strehl", cutoff: float = 0.0) -> CameraCube:
        """Discard the worst frames.

        Parameters
        ----------
        metric : str
            ``strehl``, ``max``, ``peak``, ``normvar`` or ``l2norm``.
        cutoff : float
            Quantile to discard, 0 to 1.

        Returns
        -------
        CameraCube
        """
        return replace(self, keep=self.selected & self.measured.select(metric, cutoff))

    def register(self, method: str | None = "dft") -> CameraCube:
        """Choose where the star is in every frame.

        Parameters
        ----------
        method : str or None
            ``dft``, ``com``, ``peak`` or ``model``; None: the centre of the field, the same
            in every frame, so that frames are cut out but not shifted.

        Returns
        -------
        CameraCube
            With `centers`; frames whose star could not be found, or whose pixels cannot be data
            (`vampires.measure.plausible`), are no longer selected.

        Raises
        ------
        MeasurementError
            No frame holds what can be data.
        """
        source = self.source if self.metrics is None else self._sound(self.metrics)
        if method is None:
            middle = np.array(
                list(field_centers(self.header, self.source.ny, self.source.nx).values())
            )
            centers = np.repeat(middle[:, None, :], self.source.n, axis=1)
        else:
            centers = self.measured.positions(method)
        found = np.isfinite(centers).all(axis=(0, 2))
        return replace(
            self, source=source, centers=centers, keep=self.selected & found,
            shifted=method is not None,
        )  # fmt: skip

    def _sound(self, metrics: FrameMetrics) -> FrameSource:
        """Frames with stray pixels masked, if there are any."""
        if not metrics.plausible.any():
            raise MeasurementError(
                f"{self.source.paths[0]}: no frame holds what can be data "
                f"({'; '.join(impossible_frames(metrics))}); copy it again or leave it out"
            )
        if not stray_pixels(metrics)[metrics.plausible].any():
            return self.source
        return screen(self.source, self.pixel_calibration, STRAY_SIGMA)

    def coadd(
        self,
        method: str = "mean",
        crop_width: int = 536,
        pad: bool = True,
        recenter: str | None = "dft",
    ) -> CameraImage:
        """Shift the selected frames onto each other and combine them.

        Parameters
        ----------
        method : str
            ``mean``, ``median``, ``varmean`` or ``biweight``.
        crop_width : int
            Side of the output in pixels; a smaller frame is taken whole.
        pad : bool
            Surround with NaN up to the diagonal, so that derotation loses no corner.
        recenter : str or None
            Centroid method of a second registration, of the coadd itself; None: none.

        Returns
        -------
        CameraImage
        """
        if method == COUNTING and self.sky_subtracted:
            raise MeasurementError(
                f'{self.source.paths[0].name}: [coadd] method = "photon_counting": its background '
                f"{self.masters['background_file']} holds the sky, whose photons would be counted; "
                'leave the skies out with [data] exclude, so that darks are taken, or use "mean"'
            )
        size = self.crop(crop_width)
        stack = coadd_frames(self.alignment(size), method, self.memory)
        header = self.product_header(method)
        header.update(celestial_wcs(header, size))
        if method == COUNTING:
            header.put(count_threshold=THRESHOLD, count_limit=LIMIT)
            if stack.bias is not None and np.isfinite(stack.bias.value):
                value, error = round(stack.bias.value, 5), round(stack.bias.error, 5)
                header.put(count_bias=value, count_bias_error=error)
        header.put(master_pixels=round(stack.master_pixels, 4))
        image = CameraImage(
            stack.data, stack.variance, stack.systematic, stack.count, header, self.fields
        )
        if recenter is not None:
            spots = self.measured.shape[1] > 1
            image = recenter_image(image, recenter, self.spot_offsets() if spots else None)
        return pad_to_diagonal(image) if pad else image

    def spot_offsets(self) -> np.ndarray:
        """Mean (y, x) of each satellite spot from the star, shape (nfields, npsfs, 2)."""
        spots = self.measured.spots("dft")
        return np.asarray(np.nanmean(spots - self._centers()[:, None], axis=2))

    def aligned(self, crop_width: int = 536) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Stream the selected frames, registered: (start, data, variance) blocks.

        Data and variance have shape (k, nfields, ny, nx), e-/s and (e-/s)^2.
        """
        return align_frames(self.alignment(self.crop(crop_width)), self.memory)

    def alignment(self, size: tuple[int, int]) -> Alignment:
        """Where each selected frame goes in images of a size (ny, nx), the star at the centre.

        Raises
        ------
        MeasurementError
            No frame is both selected and has a measured centre.
        """
        return Alignment.of_frames(
            self.source, self.pixel_calibration, flip=self.flip, centers=self._cut_centers(size),
            keep=self.selected, size=size,
        )  # fmt: skip

    def calibrated(self, memory: int | None = None) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Stream calibrated frames: (start, data, variance) blocks.

        Data and variance have shape (k, ny, nx), e-/s and (e-/s)^2, NaN where masked.
        """
        for start, stop in self.source.chunks(memory or self.memory):
            block = self.source.read(start, stop)
            yield start, *calibrate(block, self.pixel_calibration, flip=self.flip)

    def chunks(self, memory: int | None = None) -> Iterator[CCDData]:
        """Stream calibrated frames as `~astropy.nddata.CCDData` blocks.

        Parameters
        ----------
        memory : int, optional
            Bytes a block may use.

        Yields
        ------
        CCDData
            Shape (k, ny, nx), e-/s, with variance, mask and WCS (see `wcs_header`).
        """
        for _, data, variance in self.calibrated(memory):
            yield self._ccddata(data, variance)

    @property
    def ccddata(self) -> CCDData:
        """All calibrated frames in memory."""
        _, data, variance = zip(*self.calibrated(), strict=True)
        return self._ccddata(np.concatenate(data), np.concatenate(variance))

    def crop(self, width: int) -> tuple[int, int]:
        """Size (ny, nx) of a field's cut-out, at most ``width`` pixels a side."""
        return field_size(self.rough.mean(axis=1), self.source.ny, self.source.nx, width)

    def product_header(self, method: str) -> Header:
        """Header of a coadd of the selected frames."""
        header = without_wcs(self.header)
        n = int(self.selected.sum())
        refused = 0 if self.metrics is None else int((~self.metrics.plausible).sum())
        header.put(
            unit="e-/s", ncoadd=n, coadd_method=method,
            integration=(n * header.exptime, "[s] open-shutter time combined"),
            background_file="none", flat_file="none",
        )  # fmt: skip
        header.put(**self.masters)
        header.put(refused_frames=refused or None)
        return header

    def plot(self) -> Figure:
        """Draw the measurements of every frame."""
        return self.measured.plot(self.selected, Path(self.source.paths[0]).name)

    @property
    def pixel_calibration(self) -> PixelCalibration:
        """Calibration of every pixel; without masters the nominal bias and gain."""
        if self.calibration is None:
            return pixel_calibration(self.header)
        return self.calibration

    @property
    def measured(self) -> FrameMetrics:
        """The measurements, made now with default settings if there are none."""
        if self.metrics is None:
            return self.measure().measured
        return self.metrics

    def _with_measurements(
        self,
        rough: np.ndarray,
        psfs: np.ndarray,
        settings: AnalysisSettings,
        locate: Locator = brightest,
    ) -> CameraCube:
        job = Measurement(
            self.source, self.pixel_calibration, self.flip, rough, psfs, self.fields, settings,
            locate,
        )  # fmt: skip
        return replace(self, metrics=measure_frames(job, self.memory), rough=rough)

    def wcs_header(self, field_name: str | None = None) -> fits.Header:
        """Header of the whole frames, with the celestial coordinates of one field.

        Parameters
        ----------
        field_name : str, optional
            Default: the first field. The fields of multiband frames show the same sky, so the
            coordinates hold in that field only.

        Returns
        -------
        fits.Header
            The target is at the mean position of the star, or at its rough one.
        """
        index = field_index(self.fields, field_name)
        places = self.rough[index] if self.centers is None else self.centers[index]
        y, x = (float(value) for value in np.nanmean(places, axis=0))
        header = without_wcs(self.header)
        header.update(celestial_wcs(header, self.shape[1:], (y, x)))
        return header.to_fits()

    def _ccddata(self, data: np.ndarray, variance: np.ndarray) -> CCDData:
        header = self.wcs_header()
        return CCDData(
            data,
            unit="electron / s",
            uncertainty=VarianceUncertainty(variance),
            mask=~np.isfinite(data),
            meta=header,
            wcs=export_wcs(header, ndim=3),
        )

    def _centers(self) -> np.ndarray:
        if self.centers is None:
            return self.register()._centers()
        return self.centers

    def _cut_centers(self, size: tuple[int, int]) -> np.ndarray:
        """Centres of the cut-outs: the star's places, or whole pixels without registration."""
        if self.shifted:
            return self._centers()
        corner = (np.array(size) - 1) / 2
        return np.asarray(np.floor(self._centers() - corner + 0.5) + corner)

    def __repr__(self) -> str:
        h = self.header
        done = [name for name in ("calibration", "metrics", "centers") if getattr(self, name) is not
                None]  # fmt: skip
        return (
            f"<CameraCube {Path(self.source.paths[0]).name} {h.object} "
            f"cam{h.camera} FLC {h.flc} HWP {h.hwp:g} "
            f"{'+'.join(self.fields)} {' x '.join(map(str, self.shape))}, "
            f"{int(self.selected.sum())} selected, has {', '.join(done) or 'raw frames only'}>"
        )

    def _repr_html_(self) -> str:
        h = self.header
        done = {"masters": self.calibration, "measurements": self.metrics, "centres": self.centers}
        facts = {
            "files": ", ".join(Path(path).name for path in self.source.paths),
            "object": h.object,
            "camera": h.camera,
            "FLC": h.flc,
            "HWP [deg]": h.hwp,
            "fields": ", ".join(self.fields),
            "shape": " x ".join(map(str, self.shape)),
            "selected frames": int(self.selected.sum()),
            "has": ", ".join(k for k, v in done.items() if v is not None) or "raw frames only",
        }
        return facts_table("CameraCube", facts)
