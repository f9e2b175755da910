"""Every setting of a reduction: one frozen dataclass per TOML table, one entry per key.

Tables, keys and values are those of the public pipeline 0.14 (vampires_dpp), so that its configs
run as they are, plus ``[data]``, ``[execution]`` and a few keys. Where a default differs from the
public pipeline's, ``public`` holds theirs and ``why`` the reason.

The annotations are evaluated (no ``from __future__ import annotations`` here): they are what the
values are checked against.
"""

from dataclasses import dataclass
from typing import Any

from vampires.config.option import option
from vampires.config.readers import (
    memory_bytes,
    read_annulus,
    read_curve_files,
    read_dec,
    read_epoch,
    read_fixes,
    read_frame_lists,
    read_kinds,
    read_memory,
    read_options,
    read_ra,
    read_range,
    read_ratios,
    read_requirements,
    read_sync,
    sky_angle,
)

_POSITIONS = {
    "dft": "cross-correlation with the synthetic PSF (most precise)",
    "com": "centre of mass of the window",
    "peak": "brightest pixel of the window (whole pixels)",
    "model": "centre of the fitted PSF model; needs analysis.fit_psf_model",
}
_COLLAPSE = {
    "mean": "mean of the frames that see a pixel; unbiased",
    "median": "median; robust, but biased low for skewed, few-photon frames",
    "varmean": "mean weighted by the inverse variance of each frame",
    "biweight": "biweight location; robust and nearly as precise as the mean",
}


@dataclass(frozen=True)
class TargetSettings:
    """The star: name, and coordinates where the header's are not good enough."""

    name: str = option("", "Name of the target, for people and product headers.")
    ra: str | None = option(
        None, 'Right ascension in hours, "04:55:45.8"; absent: from the headers.', read=read_ra
    )
    dec: str | None = option(
        None, 'Declination in degrees, "+30:33:04"; absent: from the headers.', read=read_dec
    )
    parallax: float | None = option(
        None,
        "Parallax; only matters for very near stars.",
        unit="mas",
        minimum=0,
        public="required",
        why="the position is good enough without it",
    )
    pm_ra: float = option(0.0, "Proper motion in right ascension, with cos(dec).", unit="mas/yr")
    pm_dec: float = option(0.0, "Proper motion in declination.", unit="mas/yr")
    frame: str = option(
        "icrs",
        "Reference frame of the coordinates.",
        choices={"icrs": "ICRS, as Gaia gives", "fk5": "FK5, J2000", "fk4": "FK4, B1950"},
    )
    obstime: str = option("J2016", "Epoch of the coordinates.", read=read_epoch)

    @property
    def ra_deg(self) -> float | None:
        """Right ascension in degrees, None when the header's is used."""
        return None if self.ra is None else 15.0 * sky_angle(self.ra)

    @property
    def dec_deg(self) -> float | None:
        """Declination in degrees, None when the header's is used."""
        return None if self.dec is None else sky_angle(self.dec)


@dataclass(frozen=True)
class DataSettings:
    """The raw files, science and calibrations together; headers tell them apart."""

    raw: tuple[str, ...] = option(
        ("raw/*.fits*",),
        "Raw files: one or more file names or patterns (* ? [] and ** for folders), relative to "
        "the folder of the config.",
    )
    exclude: tuple[str, ...] = option(
        (), "Files to leave out: names or patterns, matched against the name and the path."
    )
    include: tuple[str, ...] = option(
        (),
        "Science files to take, as names or patterns; empty: all. Calibrations are always taken.",
    )
    object: tuple[str, ...] = option(
        (),
        "Objects to take, as their headers name them (case, blanks and punctuation do not "
        "matter); empty: all, each reduced on its own.",
    )
    kinds: tuple[str, ...] = option((), "Kinds of files to take; empty: all.", read=read_kinds)
    exclude_frames: dict[str, tuple[int, ...]] = option(  # noqa: RUF009  (a dataclass field)
        {}, "Frames to leave out, per file name, counted from 0.", read=read_frame_lists
    )
    fix: tuple[dict[str, Any], ...] = option(
        (),
        "Corrections of raw headers: which files (names or patterns, a range of UTC times, or "
        "both), and the cards to set, or a CSV file: the log of the half-wave plate (columns "
        "t_utc, position, target, mode) or one row a file (column file and the cards).",
        read=read_fixes,
    )
    deinterleave: bool | None = option(
        None,
        "Controller-format files only: whether the FLC state alternates from frame to frame; "
        "absent: what the headers say.",
    )


@dataclass(frozen=True)
class CombineSettings:
    """Which frames belong together."""

    method: str = option(
        "cube",
        "What makes one group of frames, hence one coadd.",
        choices={
            "cube": "each raw file",
            "pdi": "all frames of one half-wave-plate angle, camera and FLC state",
        },
    )
    save_intermediate: bool = option(False, "Keep the combined raw cubes in combined/.")


@dataclass(frozen=True)
class CalibrateSettings:
    """Backgrounds, flats and bad pixels."""

    calib_directory: str | None = option(
        None,
        "Folder with master calibrations made before, used beside those made from the raw files "
        "of [data]; absent: only the latter.",
    )
    back_subtract: bool = option(True, "Subtract the matching background.")
    background_method: str = option(
        "median", "How the frames of a raw background become its master.", choices=_COLLAPSE
    )
    flat_correct: bool = option(
        True,
        "Divide by the matching flat; science without one goes on without, and says so.",
        public="false",
        why="pixel-to-pixel sensitivity and dust are in every frame, and a flat that does not "
        "match is not used anyway",
    )
    fix_bad_pixels: bool = option(
        True,
        "Repair hot and dead pixels, known from the masters, from their neighbours before frames "
        "are shifted. Saturated pixels always stay masked.",
        public="false",
        why="an unrepaired bad pixel spreads when a frame is shifted, and a masked one costs "
        "accuracy next to the star",
    )
    outlier_sigma: float = option(
        0.0,
        "Mask single pixels of single frames that stand out by so many standard deviations: "
        "cosmic rays in long exposures (10 is safe); 0: none.",
        unit="sigma",
        minimum=0,
    )
    require: tuple[str, ...] = option(
        (),
        'Calibrations without which a file is an error instead of a warning: "background", "flat".',
        read=read_requirements,
    )
    save_intermediate: bool = option(False, "Keep the calibrated cubes in calibrated/ (large).")


@dataclass(frozen=True)
class AnalysisSettings:
    """What is measured on every frame, in a window about each star or satellite spot."""

    fit_psf_model: bool = option(False, "Fit a PSF model to every frame.")
    psf_model: str = option(
        "moffat", "Model to fit.", choices={"moffat": "circular Moffat profile and background"}
    )
    photometry: bool = option(True, "Measure the flux in an aperture.")
    phot_aper_rad: float = option(8.0, "Radius of the aperture.", unit="px", minimum=0.5)
    phot_ann_rad: tuple[float, float] | None = option(
        None,
        "Annulus [inner, outer] of the local background; false: none.",
        unit="px",
        read=read_annulus,
    )
    strehl: bool = option(
        True,
        "Measure the sharpness of every frame, its peak over its aperture flux relative to the "
        "synthetic PSF, and with photometry the Strehl ratio.",
    )
    window_size: int = option(
        21,
        "Width of the window; an even one is widened by one.",
        unit="px",
        minimum=5,
        maximum=1001,
    )

    @property
    def psf_size(self) -> int:
        """Side of the synthetic PSF that windows are compared with, in pixels."""
        return self.window_size + 10


@dataclass(frozen=True)
class FrameSelectSettings:
    """Lucky imaging: leave the worst frames out."""

    frame_select: bool = option(False, "Discard the worst frames of each group.")
    metric: str = option(
        "strehl",
        "What tells a good frame from a bad one.",
        choices={
            "strehl": "sharpness, the peak over the aperture flux; needs analysis.strehl",
            "peak": "brightest pixel of the window",
            "normvar": "variance of the window over its mean",
            "l2norm": "variance of the window",
        },
        aliases={"max": "peak"},
    )
    cutoff: float = option(
        0.0, "Fraction discarded: 0.2 drops the worst fifth.", minimum=0, maximum=1
    )
    save_intermediate: bool = option(False, "Keep the selected cubes in selected/ (large).")


@dataclass(frozen=True)
class AlignSettings:
    """Shift every frame so that the star sits at the centre."""

    align: bool = option(True, "Register frames on the star; false: cut out, but do not shift.")
    method: str = option("dft", "Which measured position of the star is used.", choices=_POSITIONS)
    crop_width: int = option(
        536,
        "Width of the cut-out; more than the frame has means the whole frame.",
        unit="px",
        minimum=16,
    )
    pad: bool = option(
        True, "Pad images to the diagonal before they are rotated, so that no corner is lost."
    )
    reproject: bool = option(
        False, "Map camera 2 onto the pixel scale and orientation of camera 1."
    )
    save_intermediate: bool = option(False, "Keep the registered cubes in aligned/ (large).")


@dataclass(frozen=True)
class CoaddSettings:
    """Collapse the registered frames of a group to one image."""

    coadd: bool = option(True, "Collapse; false: keep the registered frames as cubes.")
    method: str = option(
        "mean",
        "How frames are collapsed.",
        choices={
            **_COLLAPSE,
            "photon_counting": "counts photons of EMCCD frames, unshifted: for steady light of "
            "less than 0.08 e- a frame and pixel",
        },
        public='"median"',
        why="the median of few-photon EMCCD frames loses about 20 % of the flux of a faint disk; "
        "bad pixels, which the median was there for, are masked here",
    )
    recenter: bool = option(
        True,
        "Measure the star, or its satellite spots, in the coadd and shift it to the centre; not "
        "done for planets.",
    )
    recenter_method: str = option(
        "dft", "Which position the second registration uses.", choices=_POSITIONS
    )


@dataclass(frozen=True)
class SpecphotSettings:
    """Flux units of the products."""

    unit: str = option(
        "e-/s",
        "Unit of the products.",
        choices={
            "e-/s": "electrons per second",
            "contrast": "flux over the flux of the star",
            "Jy": "jansky",
            "Jy/arcsec^2": "surface brightness",
        },
    )
    source: str = option(
        "zeropoints",
        "Where the flux scale comes from: "
        '"zeropoints" (instrument table), "pickles" (colours of a spectral type), or the path of a '
        "calibrated spectrum (FITS, ECSV or CSV with units; needs the extra flux).",
    )
    sptype: str | None = option(None, 'Spectral type of the star for "pickles", "A0V".')
    mag: float | None = option(None, "Magnitude of the star in mag_band.", unit="mag")
    mag_band: str | None = option(
        None,
        "Band of the magnitude.",
        choices={
            **{band: f"Johnson {band}, Vega" for band in "UBV"},
            **{band: f"Cousins {band}, Vega" for band in "RI"},
            **{band: f"Sloan {band}, AB (as UCAC4 and APASS give)" for band in "ri"},
            **{band: f"2MASS {band}, Vega" for band in "JHK"},
        },
    )
    mag_error: float = option(
        0.02, "Error of the magnitude; part of the calibration error.", unit="mag", minimum=0
    )
    flux_metric: str = option(
        "photometry",
        "Which measured flux of the star sets the scale.",
        choices={
            "photometry": "aperture flux; needs analysis.photometry",
            "sum": "sum of the window",
        },
    )
    spot_contrast: dict[str, float] = option(  # noqa: RUF009  (a dataclass field)
        {},
        "Measured flux of a satellite spot over that of the star, per filter: it replaces the "
        "published polynomial and what the unocculted frames of the night tell.",
        read=read_ratios,
    )
    filter_curves: dict[str, str] = option(  # noqa: RUF009  (a dataclass field)
        {},
        "Own transmission curves for the spectrum of a star, per filter: text files of wavelength "
        "[nm] and transmission; else curves modelled from the filters' table.",
        read=read_curve_files,
    )


@dataclass(frozen=True)
class DiffImagesSettings:
    """Difference images of simultaneous exposures."""

    make_diff: bool = option(False, "Make difference images of the two cameras.")
    save_double: bool = option(False, "Make double differences of the FLC states too.")
    multiband_sdi: bool = option(
        False,
        "Subtract from each field of multiband coadds the mean of the other fields, magnified to "
        "its wavelength (classical spectral differential imaging).",
    )


@dataclass(frozen=True)
class AdiSettings:
    """Images by angular differential imaging; without this table none are made."""

    method: str = option(
        "median",
        "How the image of the star is modelled and subtracted; needs the extra adi (vip_hci).",
        choices={
            "median": "median of the frames",
            "pca": "principal components of the frames",
        },
    )
    components: int = option(
        5, 'Principal components that are subtracted by "pca".', minimum=1, maximum=1000
    )
    reference: str | None = option(
        None,
        "Configuration (TOML) of a reduction of another star: its coadds of the same camera and "
        "filter make the model of this one (reference-star differential imaging). Absent: the "
        "frames themselves do.",
    )
    throughput: bool = option(
        True, "Inject companions to measure how much of them the subtraction leaves."
    )


@dataclass(frozen=True)
class ContrastSettings:
    """Noise and contrast curves of coadds, ADI images and Stokes products; without it none."""

    sigma: float = option(
        5.0,
        "Significance of the limit, as the normal distribution has it; near the star the limit is "
        "that of the same false-alarm probability (Mawet et al. 2014).",
        unit="sigma",
        minimum=0.5,
        maximum=8,
    )


@dataclass(frozen=True)
class PolarimetrySettings:
    """Polarimetry; without this table none is done."""

    method: str = option(
        "triplediff",
        "How Stokes Q and U are made of the exposures.",
        choices={
            "triplediff": "cameras, FLC states and half-wave plate: sets of 16 (fast polarimetry)",
            "doublediff": "cameras and half-wave plate: sets of 8 (slow polarimetry, no FLC)",
            "leastsq": "all exposures inverted at once with their Mueller matrices",
        },
    )
    derotate: bool = option(True, "Rotate images north up before they are combined.")
    mm_correct: bool = option(
        True, "Correct instrumental polarisation and cross-talk with the Mueller model."
    )
    hwp_adi_sync: bool | str = option(
        "auto",
        'The half-wave plate followed the pupil: true, false, or "auto". Headers that record it '
        "(qCMOS) decide, and must agree with true and false. EMCCD headers do not say: the star's "
        "double differences are compared for both, auto takes the better one where it is clear "
        "and true where it is not, and true or false is warned about where it fits worse.",
        public="true",
        why="EMCCD nights of 2021 and 2022 had a plate that stood still; corrected as if it had "
        "followed the pupil, their polarisation is wrong by a factor",
        read=read_sync,
    )
    use_ideal_mm: bool = option(
        False, "Use ideal components instead of the tabulated ones in the Mueller model."
    )
    mueller_table: str | None = option(
        None, "Own table (TOML) of Mueller parameters per filter, instead of the built-in one."
    )
    set_max_rotation: float = option(
        4.0,
        "Largest change of parallactic angle within one half-wave-plate set.",
        unit="deg",
        minimum=0,
        maximum=180,
    )
    collapse: str = option(
        "mean",
        "How the Stokes frames of the sets become the product of the night.",
        choices={
            "mean": "mean of the sets that see a pixel",
            "median": "median; robust against a bad set, noisier",
            "weighted": "mean weighted by the inverse variance of each set",
        },
    )
    stream: bool = option(False, "Subtract frame by frame before collapsing, instead of on coadds.")
    ip_correct: bool = option(
        False,
        "Subtract the polarisation that remains at the star or its halo.",
        public="true",
        why="it removes the star's own polarisation with the instrument's; the Mueller model "
        "already corrects the latter",
    )
    ip_method: str = option(
        "aperture",
        "Where the remaining polarisation is measured.",
        choices={
            "aperture": "disc of ip_radius about the star",
            "annulus": "ring from ip_radius to ip_radius2 (halo, behind a coronagraph)",
        },
    )
    ip_radius: float = option(
        15.0, "Radius of the disc, inner radius of the ring.", unit="px", minimum=0
    )
    ip_radius2: float | None = option(None, "Outer radius of the ring.", unit="px", minimum=0)
    cyl_stokes: str = option(
        "azimuthal",
        "Sign of Q_phi and U_phi.",
        choices={
            "azimuthal": "positive Q_phi: polarised along circles about the star (disks)",
            "radial": "positive Q_phi: polarised along the radius (planets)",
        },
    )


@dataclass(frozen=True)
class NrmSettings:
    """Sparse-aperture masking interferometry."""

    nbootstrap: int = option(1000, "Bootstrap draws for the errors.", minimum=1)


@dataclass(frozen=True)
class ExecutionSettings:
    """How the work is run; never changes a result."""

    memory: str = option("2 GB", "Memory each worker may use.", read=read_memory)
    scheduler: str = option(
        "",
        'Address of a dask scheduler, "tcp://host:8786", that runs the work; empty: this machine, '
        "in as many processes as `doit -n` says.",
    )

    cluster: str = option(
        "",
        "Queueing system that workers are asked of for the time of a run; not together with "
        "`scheduler`.",
        choices={"": "none", "slurm": "jobs of Slurm, by dask-jobqueue"},
    )
    workers: tuple[int, ...] = option(
        (1, 4),
        "Fewest and most workers that are asked of `cluster`, as there is work.",
        read=read_range,
    )
    cluster_options: dict[str, Any] = option(  # noqa: RUF009  (a dataclass field)
        {},
        "Options of dask_jobqueue.SLURMCluster: queue, account, walltime, cores, memory, "
        "local_directory (node-local scratch), job_script_prologue, log_directory.",
        read=read_options,
    )

    @property
    def memory_bytes(self) -> int:
        """Memory each worker may use, in bytes."""
        return memory_bytes(self.memory)


@dataclass(frozen=True)
class GeneralSettings:
    """The keys above the first table."""

    name: str = option(
        "", "Starts the name of every product; file-friendly. Absent: the config's file name."
    )
    dpp_version: str = option(
        "", "Version of the public pipeline that wrote the config; accepted, not needed."
    )
    coronagraphic: bool = option(
        False, "The star is behind a mask: positions come from the four satellite spots."
    )
    planetary: bool = option(
        False, "The target is a resolved disc: its limb is fitted, no synthetic PSF is used."
    )
    save_adi_cubes: bool = option(False, "Write ADI cubes and their derotation angles.")


SECTIONS: dict[str, type] = {
    "target": TargetSettings,
    "data": DataSettings,
    "combine": CombineSettings,
    "calibrate": CalibrateSettings,
    "analysis": AnalysisSettings,
    "frame_select": FrameSelectSettings,
    "align": AlignSettings,
    "coadd": CoaddSettings,
    "specphot": SpecphotSettings,
    "diff_images": DiffImagesSettings,
    "adi": AdiSettings,
    "contrast": ContrastSettings,
    "polarimetry": PolarimetrySettings,
    "nrm": NrmSettings,
    "execution": ExecutionSettings,
}
"""Settings class of every TOML table, in the order of the documentation."""

OPTIONAL_SECTIONS = ("target", "adi", "contrast", "polarimetry", "nrm")
"""Tables that mean something by their absence: the configuration then holds None."""
