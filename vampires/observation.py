"""Observation: a night as an object, from raw files to its products."""

from __future__ import annotations

import functools
import html
from collections import Counter
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from astropy.table import Table

from vampires.calibration.set import CalibrationSet
from vampires.config import Config, PolarimetrySettings, load_config
from vampires.cube import CameraCube
from vampires.errors import ConfigError, FileError, PolarimetryError
from vampires.flux.adi_image import AdiImage
from vampires.flux.ladder import Ladder
from vampires.images.adi import AdiStack, adi_cube, combine_cameras
from vampires.images.differences import DifferenceImage
from vampires.images.image import CameraImage
from vampires.images.sdi import multiband_sdi
from vampires.images.units import RATE
from vampires.instrument.detectors import Generation, is_flipped
from vampires.instrument.field_stops import is_unocculted
from vampires.measure.centroid_files import places_of, read_centroids
from vampires.measure.star import RoughCentroid
from vampires.night.controller import is_controller
from vampires.night.grouping import Group, group_cubes, science_records, unusable_records
from vampires.night.index import build_index
from vampires.night.pairing import Pair, pair_cameras, pair_states
from vampires.night.placing import placed
from vampires.night.plan import Plan, make_plan, plan_of, target_of
from vampires.night.polarimeters import NightSets, sets_of_groups
from vampires.night.record import CALIBRATION_KINDS, Record
from vampires.night.sets import StokesSet
from vampires.polarimetry.hwp_mode import HwpMode
from vampires.polarimetry.stokes import StokesFrame
from vampires.steps.adi import adi_settings, images_of_stack
from vampires.steps.cubes import header_index, open_cube, readable_cube
from vampires.steps.differences import difference, double, star_region
from vampires.steps.hwp_mode import decided, mode_of_night
from vampires.steps.images import coadd, registered
from vampires.steps.measure import find_star, followed, measured
from vampires.steps.settings import polarimetry_settings
from vampires.steps.stokes import light_path, product_of, stokes_of_cubes, stokes_of_images

if TYPE_CHECKING:
    from vampires.sky.geometry import Target

_HIDDEN = ("size", "mtime_ns", "hdu", "crop", "fields", "fixes", "unplaced")


class Observation:
    """The raw files of a night, and what a reduction makes of them.

    Indexing gives cubes: ``obs[3]`` is the fourth group as a
    `~vampires.cube.CameraCube`, whose pixels stay on disk until asked for. `coadd`, `stokes`,
    `differences` and `adi` go all the way, step by step as ``doit`` does with the same
    configuration; nothing but the masters is written.

    Parameters
    ----------
    records : iterable of Record
        The header index (see `vampires.night.index.build_index`); science, calibrations and
        masters made earlier.
    folder : str or Path
        The reduction directory, where masters go.
    method : str, optional
        How science files are grouped: ``cube`` or ``pdi``; default: as the configuration says.
    config : Config, optional
        All settings; default: the defaults.

    Examples
    --------
    >>> obs = Observation.from_config("20230101_ABAur.toml")  # doctest: +SKIP
    >>> obs.stokes().plot()  # doctest: +SKIP
    >>> obs[3].calibrate(obs.calibrations).measure().register().coadd().plot()  # doctest: +SKIP
    """

    def __init__(
        self,
        records: Iterable[Record],
        folder: str | Path = ".",
        method: str | None = None,
        config: Config | None = None,
    ) -> None:
        self.records = list(records)
        config = config or Config()
        if method is not None:
            config = replace(config, combine=replace(config.combine, method=method))
        if config.polarimetry is None:
            config = replace(config, polarimetry=PolarimetrySettings())
        usable = [r for r in self.records if not is_controller(r)]
        calibrations = [r for r in usable if r["ok"] and r["kind"] in CALIBRATION_KINDS]
        self.plan = plan_of(self.records, usable, calibrations, config, Path(folder))
        self._night = self.plan
        self._centroids: dict[int, dict[str, RoughCentroid]] = {}

    @classmethod
    def from_directory(
        cls,
        folder: str | Path,
        method: str | None = None,
        exclude: Iterable[str] = (),
        config: Config | None = None,
    ) -> Observation:
        """Index all FITS files in and below a folder.

        Parameters
        ----------
        folder : str or Path
            Folder of raw files; masters made on the way go to ``master_cals`` in it.
        method : str, optional
            How science files are grouped: ``cube`` or ``pdi``.
        exclude : iterable of str
            File names or patterns to leave out.
        config : Config, optional
            All settings.

        Raises
        ------
        FileError
            The folder does not exist.
        """
        config = config or Config()
        records = build_index([folder], exclude=tuple(exclude))
        return cls(placed(records, partial(target_of, config)), folder, method, config)

    @classmethod
    def from_config(cls, path: str | Path) -> Observation:
        """Index the raw files that a reduction's TOML file names.

        Parameters
        ----------
        path : str or Path
            The configuration.

        Raises
        ------
        ConfigError
            The configuration is wrong.
        FileError
            No raw file is found.
        """
        config = load_config(Path(path))
        plan = make_plan(config)
        masters = [r for r in plan.calibrations if r["format"] == "master"]
        known = {record["path"] for record in plan.records}
        extra = [record for record in masters if record["path"] not in known]
        return cls([*plan.records, *extra], config.folder, None, config)

    @property
    def config(self) -> Config:
        """All settings."""
        return self.plan.config

    @property
    def folder(self) -> Path:
        """The reduction directory."""
        return self.plan.layout.folder

    @property
    def method(self) -> str:
        """How science files are grouped."""
        return self.config.combine.method

    @property
    def target(self) -> Target | None:
        """The star; None: the coordinates in the headers."""
        return target_of(self.config)

    @property
    def parts(self) -> tuple[Observation, ...]:
        """One observation for each setup of the night, as if it were alone."""
        if len(self.plan.parts) <= 1:
            return (self,)
        return tuple(self._part(plan) for plan in self.plan.parts)

    def _part(self, plan: Plan) -> Observation:
        part = copy(self)
        part.plan, part._centroids = plan, {}
        return part

    def normalized(self) -> Observation:
        """Normalise the controller-format files, if there are any.

        Returns
        -------
        Observation
            With the normalised files, in ``normalized`` of the reduction directory, in the
            place of the raw ones.

        Raises
        ------
        FileError
            No frame is left of a file.
        """
        # Imported here: only one of the formats needs it.
        from vampires.night.controller import is_controller, normalized_outputs
        from vampires.night.normalize import normalize_file

        records = []
        for record in self.records:
            if not is_controller(record):
                records.append(record)
                continue
            outputs = [item["path"] for item in normalized_outputs(record, self.folder)]
            if not all(Path(path).exists() for path in outputs):
                normalize_file(record["path"], self.folder)
            records += build_index(outputs)
        return Observation(records, self.folder, None, self.config)

    @property
    def table(self) -> Table:
        """One row a raw file, in order of time."""
        rows = [{key: value for key, value in record.items() if key not in _HIDDEN}
                for record in self.records]  # fmt: skip
        return Table(rows=[{**row, "reason": row["reason"] or ""} for row in rows])

    @property
    def science(self) -> list[Record]:
        """Usable science files, in order of time."""
        return science_records(self.records)

    @property
    def calibrations(self) -> CalibrationSet:
        """The calibration files of the night and their masters."""
        return CalibrationSet(
            self.plan.calibrations, self.folder, self.config.calibrate,
            self.config.execution.memory_bytes,
        )  # fmt: skip

    @property
    def unusable(self) -> Table:
        """Files that are left out, with the reason."""
        left = unusable_records(self.records)
        names = np.array([record["name"] for record in left], dtype=str)
        return Table([names, np.array([record["reason"] for record in left], dtype=str)],
                     names=("name", "reason"))  # fmt: skip

    def groups(self, method: str | None = None) -> list[Group]:
        """Science files that are coadded together.

        Parameters
        ----------
        method : str, optional
            ``cube`` or ``pdi``; default: the observation's.
        """
        if method in {None, self.method}:
            return list(self.plan.groups)
        return group_cubes([r for setup in self.plan.setups for r in setup.records], str(method))

    def night_sets(self) -> NightSets:
        """Stokes sets, the fate of every exposure, or why there is no set."""
        settings = polarimetry_settings(self.config)
        return sets_of_groups(
            self._alone().plan.groups, settings.method, max_rotation=settings.set_max_rotation
        )

    def hwp_sets(self, method: str | None = None) -> tuple[StokesSet, ...]:
        """Cycles of the half-wave plate that make one Stokes frame each.

        Parameters
        ----------
        method : str, optional
            ``triplediff``, ``doublediff`` or ``leastsq``; default: the configuration's.

        Raises
        ------
        PolarimetryError
            There is no complete set; the message names the missing states.
        """
        night = self._by_method(method).night_sets()
        if night.problem:
            raise PolarimetryError(night.problem)
        return night.sets

    def cube(self, group: Group | int) -> CameraCube:
        """Cube of a group with its masters, which are made if they are not there yet."""
        group = self.plan.groups[group] if isinstance(group, int) else group
        masters = self.calibrations.ready(self.calibrations.match(group.first))
        paths = [Path(path) for path in group.paths]
        return open_cube(paths, masters, self.config, announce=True)

    def centroids(self, camera: int) -> dict[str, RoughCentroid]:
        """Where the star, its satellite spots or the planet are, roughly, in each field.

        Read from the centroid file of the camera (``doit centroid``, or written by hand) where
        there is one; else found in the mean of its first files.
        """
        if camera not in self._centroids:
            path = self.plan.layout.centroids(camera)
            if path.exists():
                first = self._alone().plan.first_records(camera)[0]
                flipped = is_flipped(cast("Generation", first["generation"]), camera)
                mirror = first["ny"] if flipped else None
                self._centroids[camera] = read_centroids(path, camera, mirror)
            else:
                cubes = self._first_cubes(camera)
                self._centroids[camera] = find_star(cubes, self.config)[1]
        return self._centroids[camera]

    def _first_cubes(self, camera: int) -> list[CameraCube]:
        records = self._alone().plan.first_records(camera)
        masters = self.calibrations.ready(self.calibrations.match(records[0]))
        found = [readable_cube(Path(r["path"]), masters, self.config) for r in records]
        cubes = [cube for cube in found if cube is not None]
        if not cubes:
            raise FileError(f"none of {', '.join(r['name'] for r in records)} can be read")
        return cubes

    def registered(self, group: Group | int) -> CameraCube:
        """Cube of a group, measured, its frames selected and registered."""
        cube = self.cube(group)
        camera = cube.header.camera
        places = places_of(self.centroids(camera), cube.fields)
        found = followed(cube, places, self.plan.crop_origin(camera))
        return registered(measured(cube, found, self.config), self.config)

    def coadd(self, group: Group | int) -> CameraImage:
        """Coadd of a group, as ``doit coadd`` makes it."""
        group = self.plan.groups[group] if isinstance(group, int) else group
        return coadd(self.registered(group), self.config, self._ladder_of(group))

    @functools.cached_property
    def ladder(self) -> Ladder:
        """Satellite spots over the star, from the unocculted frames of a coronagraphic night.

        Empty where no flux unit is asked for, or the night has no such frames.
        """
        if not self.config.coronagraphic or self.config.specphot.unit == RATE:
            return Ladder()
        whole = [self._part(plan) for plan in self._night.parts]
        coadds = (
            (group.key, part.coadd(group))
            for part in whole
            for group in part.plan.groups
            if is_unocculted(group.first["fieldstop"])
        )
        return Ladder.of_coadds((name, image.header, image.fields) for name, image in coadds)

    def _ladder_of(self, group: Group) -> Ladder:
        return Ladder() if is_unocculted(group.first["fieldstop"]) else self.ladder

    def stokes_frame(self, number: StokesSet | int) -> StokesFrame:
        """Stokes frame of one HWP set, as ``doit stokes`` makes it.

        Parameters
        ----------
        number : int or StokesSet
            One of `hwp_sets`, or its number.
        """
        item = self.hwp_sets()[number] if isinstance(number, int) else number
        groups = {group.key: group for group in self.plan.groups}
        own = [groups[key] for key in item.keys]
        if polarimetry_settings(self.config).stream:
            cubes = [self.registered(group) for group in own]
            frame = stokes_of_cubes(cubes, self._decided, self._ladder_of(own[0]))
        else:
            images = [self.coadd(group) for group in own]
            models = light_path(images[0].header, images[0].fields, self.config)
            frame = stokes_of_images(images, models, self._decided)
        frame.header.update(self.hwp_mode.cards())
        return frame

    @functools.cached_property
    def hwp_mode(self) -> HwpMode:
        """Whether the half-wave plate followed the pupil, as ``doit mueller:hwp_mode`` decides.

        Headers state it for the qCMOS; else every coadd of the night is made and the star asked.
        """
        groups = self.plan.groups
        headers = [self.cube(group).header for group in groups]
        return mode_of_night(headers, lambda: map(self.coadd, groups), self.config)

    @property
    def _decided(self) -> Config:
        return decided(self.config, self.hwp_mode)

    def stokes(self, filter_name: str | None = None, method: str | None = None) -> StokesFrame:
        """Stokes frame of the night, as ``doit pdi`` makes it.

        Parameters
        ----------
        filter_name : str, optional
            Which product, where the night has several: narrowband filters, for instance.
        method : str, optional
            ``triplediff``, ``doublediff`` or ``leastsq``; default: the configuration's.

        Returns
        -------
        StokesFrame
            With all fields of multiband data; `StokesFrame.mean_field` joins them.

        Raises
        ------
        PolarimetryError
            There is no complete set, or there are several products and none is chosen.
        """
        night = self._by_method(method)
        night.hwp_sets()
        products = night.night_sets().by_filter()
        if filter_name is None and None not in products:
            names = ", ".join(map(repr, products))
            raise PolarimetryError(f"the night has a product in each of {names}: name the filter")
        own = products.get(filter_name, products.get(None, []))
        if filter_name is not None and own and own[0].filter != filter_name:
            raise PolarimetryError(
                f"no set in filter {filter_name!r}: the night has {own[0].filter}"
            )
        return product_of((night.stokes_frame(item) for item in own), night.config)

    def pairs(self) -> list[Pair]:
        """Simultaneous exposures of the two cameras."""
        return pair_cameras(self._alone().plan.groups)

    def differences(self, kind: str = "single") -> Iterator[DifferenceImage]:
        """Difference images, as ``doit diff`` makes them, one after another.

        Parameters
        ----------
        kind : str
            ``single`` (camera 1 minus camera 2, or line minus continuum), ``double`` (two states
            of FLC, HWP or filters) or ``sdi`` (each field of multiband data minus the others).

        Raises
        ------
        PolarimetryError
            The kind is unknown, or the night has no such exposures.
        """
        makers = {"single": self._singles, "double": self._doubles, "sdi": self._fields}
        if kind not in makers:
            raise PolarimetryError(f"differences {kind!r}: allowed are {', '.join(makers)}")
        images = makers[kind]()
        first = next(images, None)
        if first is None:
            raise PolarimetryError(f"the night has no exposures for {kind!r} differences")
        yield first
        yield from images

    def _singles(self) -> Iterator[DifferenceImage]:
        for pair in self.pairs():
            yield difference(pair, self._both(pair), self.config)

    def _doubles(self) -> Iterator[DifferenceImage]:
        for first, second in pair_states(self.pairs()):
            yield double((first, second), (self._both(first), self._both(second)), self.config)

    def _fields(self) -> Iterator[DifferenceImage]:
        for group in self._alone().plan.groups:
            if len(group.fields) > 1:
                yield multiband_sdi(self.coadd(group), star_region(self.config))

    def _both(self, pair: Pair) -> tuple[CameraImage, CameraImage]:
        return self.coadd(pair.one), self.coadd(pair.two)

    def adi(
        self, camera: int | None = None, filter_name: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cube and angles for angular differential imaging, as VIP and pyKLIP take them.

        Parameters
        ----------
        camera : int, optional
            1 or 2; default: the mean of both cameras' simultaneous images.
        filter_name : str, optional
            Default: the only filter of the night.

        Returns
        -------
        cube : ndarray of float32, shape (nfields, n, ny, nx)
        angles : ndarray of float32, shape (n,)
            Deg, counter-clockwise; see `vampires.images.adi`.

        Raises
        ------
        FileError
            There are no such exposures, or several filters and none is chosen.
        """
        return adi_cube(self._adi_frames(camera, filter_name))

    def _adi_frames(self, camera: int | None, filter_name: str | None) -> list[CameraImage]:
        groups = self._alone().plan.groups
        filters = sorted({group.filter for group in groups})
        if filter_name is None and len(filters) > 1:
            raise FileError(f"the night has filters {', '.join(filters)}: name one of them")
        own = [group for group in groups if filter_name in {None, group.filter}]
        if camera is not None:
            images = [self.coadd(group) for group in own if group.camera == camera]
        else:
            images = [combine_cameras(*self._both(pair)) for pair in pair_cameras(own)]
        if not images:
            raise FileError(
                f"no exposures of camera {camera or '1 and 2'} in {filter_name or filters}"
            )
        return images

    def adi_images(
        self, camera: int | None = None, filter_name: str | None = None
    ) -> list[AdiImage]:
        """Images by angular differential imaging, as ``doit adi_image`` makes them.

        Parameters
        ----------
        camera, filter_name
            As of `adi`.

        Returns
        -------
        list of AdiImage
            With a plane a field; of multiband data a second one, of all fields together. The
            coadds of a reference star, where ``[adi] reference`` names one, are made too.

        Raises
        ------
        ConfigError
            There is no [adi] table, or vip_hci is not installed.
        """
        stack = AdiStack.of_images(self._adi_frames(camera, filter_name))
        named = adi_settings(self.config).reference
        if named is None:
            return images_of_stack(stack, self.config)
        other = Observation.from_config(self.config.resolve(named))
        library = AdiStack.of_images(other._adi_frames(camera, filter_name))
        return images_of_stack(stack, self.config, library)

    def _alone(self) -> Observation:
        """The observation itself, once it is sure that it is of one setup."""
        if len(self.plan.parts) > 1:
            labels = ", ".join(part.label for part in self.plan.parts)
            raise ConfigError(f"the night has several setups ({labels}): take one of obs.parts")
        return self

    def _by_method(self, method: str | None) -> Observation:
        settings = polarimetry_settings(self.config)
        if method in {None, settings.method}:
            return self
        config = replace(self.config, polarimetry=replace(settings, method=str(method)))
        return self._part(replace(self.plan, config=config))

    def __len__(self) -> int:
        return len(self.plan.groups)

    def __getitem__(self, index: int) -> CameraCube:
        return CameraCube.from_group(
            self.plan.groups[index],
            self.target,
            self.config.execution.memory_bytes,
            header_index(self.config),
        )

    def __iter__(self) -> Iterator[CameraCube]:
        return (self[index] for index in range(len(self)))

    def _summary(self) -> list[str]:
        science = self.science
        kinds = Counter(record["kind"] for record in self.records)
        lines = [", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))]
        if science:
            objects = sorted({record["object"] or "?" for record in science})
            filters = sorted({name for record in science for name in record["fields"]})
            hours = 24 * ((science[-1]["mjd_end"] or 0.0) - (science[0]["mjd_start"] or 0.0))
            frames = sum(record["nframes"] for record in science)
            lines += [
                f"{', '.join(objects)} in {', '.join(filters)}, {science[0]['generation']}",
                f"{frames} science frames in {hours:.2f} h from MJD {science[0]['mjd_start']:.5f}",
                f"{len(self)} groups by {self.method!r}",
                *([f"{len(self.plan.setups)} setups"] if len(self.plan.setups) > 1 else []),
            ]
        return lines

    def __repr__(self) -> str:
        return "<Observation: " + "\n  ".join(self._summary()) + ">"

    def _repr_html_(self) -> str:
        lines = "<br>".join(html.escape(line) for line in self._summary())
        return f"<b>Observation</b><br>{lines}<br>{self.table._repr_html_()}"
