"""Errors a user can cause and cure.

Each message is one line that names the file or key, what was found, what is allowed
and what to do. The command line prints it without a traceback; the log keeps the traceback.
"""

from __future__ import annotations


class VampiresError(Exception):
    """Base of every expected error; its text is shown to the user as it is."""


class ConfigError(VampiresError):
    """The configuration file cannot be used."""


class FileError(VampiresError):
    """A file is missing, truncated, empty or not what it should be."""


class HeaderError(FileError):
    """A FITS header lacks a keyword or holds a value that cannot be used."""


class CalibrationError(VampiresError):
    """A calibration that was asked for is missing or does not fit."""


class MeasurementError(VampiresError):
    """Pixels do not allow a measurement: no star, no satellite spots, no valid frame."""


class PolarimetryError(VampiresError):
    """The exposures at hand do not make the polarimetric product asked for."""


class CatalogueError(VampiresError):
    """A catalogue cannot be asked, or does not know the star."""


def os_error_line(error: OSError) -> str:
    """What the system says of a file, without its number.

    Examples
    --------
    >>> os_error_line(OSError(2, "No such file or directory", "a.fits"))
    'a.fits: No such file or directory'
    """
    where = "" if error.filename is None else f"{error.filename}: "
    return f"{where}{error.strerror or error}"
