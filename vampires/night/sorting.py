"""Sort raw files into folders that people can read.

The folders tell what a file is and how it was taken::

    ABAUR/750-50_em300_00100ms_512x512          EMCCD science: filter, gain, exposure, crop
    darks/em300_00100ms_512x512                 EMCCD calibrations
    ABAUR/Open_Open_000005000us_MBI             qCMOS science: filters, exposure, crop
    flats/750-50_Open_000005000us_536x536       qCMOS calibrations

Multiband crops of the two cameras differ in size: ``MBI`` or ``MBIR`` stands for the size, so
that they stay together. Nothing is ever overwritten, and a file is removed from where it was
only once its copy is complete; a run that was interrupted is repeated to finish it.
"""

from __future__ import annotations

import errno
import filecmp
import shutil
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vampires.errors import FileError, VampiresError, os_error_line
from vampires.header import Header
from vampires.io.atomic import atomic_path, clean_stale_temporaries, flush_names
from vampires.io.frames import open_frames
from vampires.io.layout import image_and_header
from vampires.io.paths import safe_name
from vampires.io.products import product_header
from vampires.io.rawfile import write_raw
from vampires.log import get_logger
from vampires.night.raw import raw_header
from vampires.night.scan import BROKEN_HEADER

log = get_logger(__name__)

ACTIONS = ("copy", "link", "move")
"""What becomes of a file: a copy, a hard link, or the file itself moved."""

FOLDERS = {"DARK": "darks", "FLAT": "flats", "SKYFLAT": "skies", "COMPARISON": "pinholes"}
"""Folder of calibration files by ``DATA-TYP``; science goes to one named by its target."""


_NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""Errors that every file after would have as well."""


@dataclass(frozen=True)
class Sorted:
    """What became of one file.

    Parameters
    ----------
    source : Path
        The raw file.
    target : Path or None
        Where it is now; None when it was left where it was.
    reason : str or None
        Why it was left.
    """

    source: Path
    target: Path | None
    reason: str | None = None


def sorted_folder(header: Header) -> Path:
    """Folder of a file, relative to the output directory.

    Parameters
    ----------
    header : Header
        Canonical header.

    Returns
    -------
    Path
        Two levels: target or kind of calibration, then the settings.
    """
    kind = header.data_type
    parts = _emccd_parts(header) if header.generation == "EMCCD" else _qcmos_parts(header)
    top = FOLDERS.get(kind) or _science_folder(header.object)
    return Path(top) / "_".join(parts)


def sort_files(
    paths: Iterable[str | Path],
    output: str | Path,
    *,
    action: str = "copy",
    decompress: bool = False,
) -> list[Sorted]:
    """Sort raw files into folders.

    Parameters
    ----------
    paths : iterable of str or Path
        Raw files.
    output : str or Path
        Directory that holds the folders.
    action : str
        ``copy``, ``link`` (hard links) or ``move``.
    decompress : bool
        Write ``.fits.fz`` files as plain FITS.

    Returns
    -------
    list of Sorted
        One a file, in the order given; files that cannot be sorted stay where they are.

    Raises
    ------
    FileError
        The action is unknown.
    OSError
        The output directory cannot be made, or its disk is full or read-only.

    Examples
    --------
    >>> sort_files(Path("raw").glob("VMPA*.fits*"), "sorted", action="link")  # doctest: +SKIP
    """
    if action not in ACTIONS:
        raise FileError(f"sort: action {action!r}: allowed are {', '.join(ACTIONS)}")
    Path(output).mkdir(parents=True, exist_ok=True)
    results = []
    for path in map(Path, paths):
        try:
            target = _target(path, Path(output), decompress)
            _transfer(path, target, action)
            results.append(Sorted(path, target))
        except VampiresError as error:
            results.append(_left(path, str(error)))
        except OSError as error:
            if error.errno in _NO_PLACE:
                raise
            results.append(_left(path, os_error_line(error)))
        except BROKEN_HEADER as error:
            results.append(_left(path, f"{path}: its header cannot be read ({error})"))
    for folder in {result.target.parent for result in results if result.target is not None}:
        clean_stale_temporaries(folder)
    return results


def _left(path: Path, reason: str) -> Sorted:
    reason = " ".join(reason.split())
    log.info("left where it is", file=str(path), reason=reason)
    return Sorted(path, None, reason)


def _science_folder(target: str) -> str:
    """Name of a target's folder, never that of a calibration."""
    name = safe_name(target)
    return f"{name}_target" if name.lower() in FOLDERS.values() else name


def _emccd_parts(header: Header) -> list[str]:
    parts = [
        f"em{header.need(Header.em_gain):.0f}",
        f"{round(header.exptime * 1e3):05d}ms",
        _size(header),
    ]
    if header.data_type not in {"DARK", "SKYFLAT"}:
        parts.insert(0, safe_name(header.filter01))
    return parts


def _qcmos_parts(header: Header) -> list[str]:
    parts = [f"{round(header.exptime * 1e6):09d}us", _size(header)]
    stop = safe_name(header.field_stop or "Fieldstop")
    if stop.lower() not in {"fieldstop", "unknown"}:
        parts.insert(1, stop)
    if header.data_type not in {"DARK", "SKYFLAT"}:
        parts = [safe_name(header.filter01), safe_name(header.filter02), *parts]
    return parts


def _size(header: Header) -> str:
    """Size of the crop; the mode's name for multiband data, whose cameras differ in size."""
    if header.filter in {"MBI", "MBIR"}:
        return header.filter
    return f"{header.nx}x{header.ny}"


def _target(path: Path, output: Path, decompress: bool) -> Path:
    with warnings.catch_warnings():
        # Broken files make astropy warn; what is wrong is said in the reason.
        warnings.simplefilter("ignore")
        folder = output / sorted_folder(raw_header(path))
    name = path.name.removesuffix(".fz") if decompress else path.name
    target = folder / name
    # A folder that is a symbolic link could lead out of the output directory.
    if not target.resolve().is_relative_to(output.resolve()):
        raise FileError(f"{path}: its folder {folder} leads out of {output}; remove that link")
    return target


def _transfer(path: Path, target: Path, action: str) -> None:
    if target.exists() and target.samefile(path):
        if action == "move" and path.resolve() != target.resolve():
            path.unlink()  # a move that was interrupted between link and removal
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    unpacked = target.suffix != path.suffix
    linked = action != "copy" and not unpacked and not target.exists() and _link(path, target)
    if not linked:
        _copy(path, target, unpacked)
        flush_names(target.parent)  # it may be another disk, which a power cut finds later
    if action == "move":
        path.unlink()


def _link(path: Path, target: Path) -> bool:
    """Hard-link a file; False where the file system cannot (another disk)."""
    try:
        target.hardlink_to(path.resolve())
    except FileExistsError:
        return False
    except OSError as error:
        log.info("copied instead of linked", file=str(path), reason=str(error))
        return False
    return True


def _copy(path: Path, target: Path, unpacked: bool) -> None:
    """Copy under a temporary name, then give the name; a different file there is an error."""
    if target.exists() and not unpacked and filecmp.cmp(path, target, shallow=False):
        return
    with atomic_path(target) as temporary:
        if unpacked:
            _decompress(path, temporary)
        else:
            shutil.copy2(path, temporary)
        if target.exists() and not filecmp.cmp(temporary, target, shallow=False):
            raise FileError(f"{path}: {target} exists and differs; rename one of them to keep both")


def _decompress(path: Path, target: Path) -> None:
    layout, header = image_and_header(path)
    source = open_frames(layout)
    blocks = (source.read(start, stop).native() for start, stop in source.chunks())
    write_raw(target, product_header(header), (source.n, source.ny, source.nx), blocks)
    shutil.copystat(path, target)
