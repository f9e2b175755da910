"""`Config`: the validated settings of one reduction."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vampires.config.option import options_of
from vampires.config.schema import (
    SECTIONS,
    AdiSettings,
    AlignSettings,
    AnalysisSettings,
    CalibrateSettings,
    CoaddSettings,
    CombineSettings,
    ContrastSettings,
    DataSettings,
    DiffImagesSettings,
    ExecutionSettings,
    FrameSelectSettings,
    GeneralSettings,
    NrmSettings,
    PolarimetrySettings,
    SpecphotSettings,
    TargetSettings,
)

GENERAL = "general"
"""Name under which `Config.section_values` gives the keys above the first table."""


_CHOICE = ("raw", "exclude", "include", "object", "kinds")
"""Keys of ``[data]`` that choose files: every product names its files, so that it is the same
however they were chosen."""


@dataclass(frozen=True, repr=False)
class Config:
    """Validated, defaults-filled settings of one reduction; immutable.

    Each TOML table is an attribute (``config.coadd.method``); ``target``, ``adi``, ``contrast``,
    ``polarimetry`` and ``nrm`` are None when the file has no such table. Made by `load_config` or
    `config_from_dict`.

    Attributes
    ----------
    path : pathlib.Path or None
        The file it came from, None when made in Python.
    """

    name: str = "vampires"
    dpp_version: str = ""
    coronagraphic: bool = False
    planetary: bool = False
    save_adi_cubes: bool = False
    target: TargetSettings | None = None
    data: DataSettings = field(default_factory=DataSettings)
    combine: CombineSettings = field(default_factory=CombineSettings)
    calibrate: CalibrateSettings = field(default_factory=CalibrateSettings)
    analysis: AnalysisSettings = field(default_factory=AnalysisSettings)
    frame_select: FrameSelectSettings = field(default_factory=FrameSelectSettings)
    align: AlignSettings = field(default_factory=AlignSettings)
    coadd: CoaddSettings = field(default_factory=CoaddSettings)
    specphot: SpecphotSettings = field(default_factory=SpecphotSettings)
    diff_images: DiffImagesSettings = field(default_factory=DiffImagesSettings)
    adi: AdiSettings | None = None
    contrast: ContrastSettings | None = None
    polarimetry: PolarimetrySettings | None = None
    nrm: NrmSettings | None = None
    execution: ExecutionSettings = field(default_factory=ExecutionSettings)
    path: Path | None = field(default=None, compare=False)

    @property
    def folder(self) -> Path:
        """Folder relative paths start from: the config's, or the current one."""
        return Path.cwd() if self.path is None else self.path.parent

    def resolve(self, path: str) -> Path:
        """Return the absolute path of a path written in the config.

        Parameters
        ----------
        path : str
            Relative to the config's folder; ``~`` is the home folder.

        Returns
        -------
        pathlib.Path
            Absolute path.
        """
        return (self.folder / Path(path).expanduser()).absolute()

    def section_values(self, section: str) -> dict[str, Any]:
        """Return the values of one table as JSON types, for up-to-date checks and headers.

        Parameters
        ----------
        section : str
            Name of a TOML table, or "general" for the keys above the first.

        Returns
        -------
        dict
            Every key with its value, defaults filled in; empty for an absent optional table.

        Raises
        ------
        KeyError
            If there is no such table.

        Examples
        --------
        >>> Config().section_values("combine")
        {'method': 'cube', 'save_intermediate': False}
        """
        if section == GENERAL:
            return {key: getattr(self, key) for key in options_of(GeneralSettings)}
        if section not in SECTIONS:
            raise KeyError(f"no table [{section}]; tables: {', '.join(SECTIONS)}")
        settings = getattr(self, section)
        return {} if settings is None else _plain(dataclasses.asdict(settings))

    def digest_of(self, *sections: str) -> str:
        """Return a short digest of the values of some tables.

        Parameters
        ----------
        *sections : str
            Table names as for `section_values`.

        Returns
        -------
        str
            Twelve hexadecimal digits, the same on every machine.
        """
        values = {section: self.section_values(section) for section in sections}
        values.get(GENERAL, {}).pop("dpp_version", None)
        for key in _CHOICE:
            values.get("data", {}).pop(key, None)
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def digest(self) -> str:
        """Digest of everything that can change a result, so without ``[execution]``."""
        return self.digest_of(GENERAL, *(name for name in SECTIONS if name != "execution"))

    def __repr__(self) -> str:
        where = "made in Python" if self.path is None else str(self.path)
        lines = [f"<Config {self.name} ({where})"]
        for section in (GENERAL, *SECTIONS):
            changed = self._changed(section)
            if changed:
                prefix = "" if section == GENERAL else f"{section}."
                lines += [f"  {prefix}{key} = {value!r}" for key, value in changed.items()]
        return "\n".join(lines) + ">"

    def _changed(self, section: str) -> dict[str, Any]:
        """Values that differ from the defaults."""
        settings = GeneralSettings if section == GENERAL else SECTIONS[section]
        defaults = _plain(dataclasses.asdict(settings()))
        values = self.section_values(section)
        return {key: value for key, value in values.items() if value != defaults[key]}


def _plain(value: Any) -> Any:
    """Replace tuples by lists, all the way down: what JSON would give back."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
