"""Where every product lives: one function a product, so that tasks match by string.

Only the standard library is imported: this module is read at every start of ``doit``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_LONGEST = 100  # characters of a name made of header values

FITS_SUFFIXES = (".fits.fz", ".fits.gz", ".fits", ".fit", ".fts")


def stem(path: str | Path) -> str:
    """File name without its FITS suffix, fit to be part of the name of a task or product.

    Characters that these cannot hold (``=``, blanks at the ends, control characters, all but
    ASCII) become ``-``; two files whose names differ in nothing else count as one name.

    Parameters
    ----------
    path : str or Path
        A file name, with or without folders.

    Returns
    -------
    str

    Examples
    --------
    >>> stem("raw/VMPA00021001.fits.fz")
    'VMPA00021001'
    """
    name = Path(path).name
    for suffix in FITS_SUFFIXES:
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
            break
    return re.sub(r"[^!-<>-~ ]|^ | $", "-", name)


def index_path(folder: Path) -> Path:
    """Header index of the raw files of a reduction."""
    return folder / ".vampires_index.sqlite"


def masters_index_path(folder: Path) -> Path:
    """Header index of the masters of another reduction."""
    return folder / ".vampires_index_masters.sqlite"


def safe_name(text: str) -> str:
    """Make a file or folder name of a header value.

    Parameters
    ----------
    text : str
        Anything: spaces, slashes, control characters, nothing at all.

    Returns
    -------
    str
        Letters, digits and ``.+-_`` only, not starting with a dot, 1 to 100 characters.

    Examples
    --------
    >>> safe_name("HD 141569 A"), safe_name("../../etc"), safe_name("")
    ('HD_141569_A', 'etc', 'unknown')
    """
    name = re.sub(r"[^A-Za-z0-9.+-]+", "_", text.strip()).strip("_.")
    return name[:_LONGEST].rstrip("_.") or "unknown"


def region_paths(path: Path) -> tuple[Path, Path]:
    """Region files that belong to a centroid file: for raw frames, for calibrated ones.

    Examples
    --------
    >>> [path.name for path in region_paths(Path("n_centroids_cam1.toml"))]
    ['n_centroids_cam1_raw.reg', 'n_centroids_cam1_calibrated.reg']
    """
    return path.with_name(f"{path.stem}_raw.reg"), path.with_name(f"{path.stem}_calibrated.reg")


def background_path(folder: Path, raw_stem: str) -> Path:
    """Master background made from the raw file called ``raw_stem``."""
    return folder / "master_cals" / "background" / f"{raw_stem}_coll.fits"


def flat_path(folder: Path, raw_stem: str) -> Path:
    """Master flat made from the raw file called ``raw_stem``."""
    return folder / "master_cals" / "flat" / f"{raw_stem}_coll.fits"


@dataclass(frozen=True)
class Layout:
    """The product paths of one reduction.

    Parameters
    ----------
    folder : Path
        The reduction directory.
    name : str
        The reduction's name; starts every product's name.
    """

    folder: Path
    name: str

    def background(self, raw_stem: str) -> Path:
        """Master background."""
        return background_path(self.folder, raw_stem)

    def flat(self, raw_stem: str) -> Path:
        """Master flat."""
        return flat_path(self.folder, raw_stem)

    def psf(self, filter_name: str, camera: int) -> Path:
        """Synthetic point-spread function of one filter and camera."""
        return self.folder / "aux" / f"{self.name}_{filter_name}_cam{camera}_synthpsf.fits"

    def centroids(self, camera: int) -> Path:
        """Rough centroids of one camera, for people to read and edit."""
        return self.folder / "aux" / f"{self.name}_centroids_cam{camera}.toml"

    def metrics(self, group: str) -> Path:
        """Per-frame measurements of one group."""
        return self.folder / "metrics" / f"{self.name}_{group}.h5"

    def combined(self, group: str) -> Path:
        """Raw frames of a group, kept on request."""
        return self.folder / "combined" / f"{self.name}_{group}_comb.fits"

    def calibrated(self, group: str) -> Path:
        """Calibrated frames, kept on request."""
        return self.folder / "calibrated" / f"{self.name}_{group}_calib.fits"

    def selected(self, group: str) -> Path:
        """Calibrated frames that passed the selection, kept on request."""
        return self.folder / "selected" / f"{self.name}_{group}_selected.fits"

    def aligned(self, group: str) -> Path:
        """Registered frames, kept on request."""
        return self.folder / "aligned" / f"{self.name}_{group}_aligned.fits"

    def coadd(self, group: str) -> Path:
        """Coadd of one group."""
        return self.folder / "coadded" / f"{self.name}_{group}_coll.fits"

    def table(self) -> Path:
        """Table of the coadds' headers."""
        return self.folder / "products" / f"{self.name}_table.ecsv"

    def files(self) -> Path:
        """Table of every raw file and what became of it."""
        return self.folder / "products" / f"{self.name}_files.ecsv"

    def adi(self, suffix: str) -> Path:
        """ADI cube or angles; ``suffix`` such as ``adi_cube_cam1``."""
        return self.folder / "products" / "adi" / f"{self.name}_{suffix}.fits"

    def adi_picture(self, suffix: str) -> Path:
        """Picture of an ADI image."""
        return self.adi(suffix).with_suffix(".png")

    def contrast(self, what: str) -> Path:
        """Noise and contrast curves of some products."""
        return self.folder / "products" / "contrast" / f"{self.name}_contrast_{what}.ecsv"

    def ladder(self) -> Path:
        """Table of satellite spots over the star, from unocculted frames."""
        return self.folder / "products" / f"{self.name}_ladder.ecsv"

    def difference(self, kind: str, name: str) -> Path:
        """Difference image; ``kind`` is ``single``, ``double`` or ``sdi``."""
        return self.folder / "diff" / kind / f"{self.name}_{name}_{kind}.fits"

    def mueller(self, group: str) -> Path:
        """Mueller matrices of one group."""
        return self.folder / "pdi" / "mm" / f"{self.name}_{group}_mm.h5"

    def stokes(self, index: int) -> Path:
        """Stokes frame of one HWP set."""
        return self.folder / "pdi" / "stokes" / f"{self.name}_stokes_{index:03d}.fits"

    def stokes_collapsed(self) -> Path:
        """The Stokes product of the night."""
        return self.folder / "pdi" / f"{self.name}_stokes_coll.fits"

    def stokes_cube(self) -> Path:
        """The Stokes product of the night, every field (multiband data)."""
        return self.folder / "pdi" / f"{self.name}_stokes_cube.fits"

    def stokes_footprint(self) -> Path:
        """How many sets cover each pixel of the Stokes product."""
        return self.folder / "pdi" / f"{self.name}_stokes_footprint.fits"

    def stokes_table(self) -> Path:
        """One line a set: time, angles, fluxes, instrumental polarisation."""
        return self.folder / "pdi" / f"{self.name}_stokes_table.ecsv"

    def hwp_mode(self) -> Path:
        """Whether the half-wave plate followed the pupil, and why that is thought."""
        return self.folder / "pdi" / f"{self.name}_hwp_mode.ecsv"

    def star_polarisation(self) -> Path:
        """Polarisation of the star, per set and of the night."""
        return self.folder / "pdi" / f"{self.name}_star_polarisation.ecsv"

    def stokes_sets(self) -> Path:
        """One line an exposure: its set, or why it is left out."""
        return self.folder / "pdi" / f"{self.name}_stokes_sets.ecsv"

    def stokes_picture(self, what: str) -> Path:
        """Picture of the Stokes product: ``qphi``, ``stokes`` or ``ip``."""
        return self.folder / "pdi" / f"{self.name}_{what}.png"

    def picture(self, what: str) -> Path:
        """Picture of a stage of the reduction, for the report."""
        return self.folder / "products" / "pictures" / f"{self.name}_{what}.png"

    def report(self) -> Path:
        """The night on one page."""
        return self.folder / "products" / f"{self.name}_report.html"
