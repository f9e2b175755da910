"""What must hold between settings, and what is valid but not carried out yet."""

from __future__ import annotations

from collections.abc import Iterator

from vampires.config.model import Config
from vampires.instrument.filters import FILTERS

Problem = tuple[str, str, str]
"""Table, key and a sentence; table "" is the top of the file."""

NOT_YET_SECTIONS: dict[str, str] = {"nrm": "sparse-aperture masking"}
"""Tables refused for now, and what they would do."""


def consistency_problems(config: Config) -> list[Problem]:
    """List everything that contradicts itself or cannot be carried out yet.

    Parameters
    ----------
    config : Config
        Each value valid by itself.

    Returns
    -------
    list of (table, key, sentence)
        Empty when all is well.
    """
    checks = (_target, _measurements, _coadds, _fluxes, _images, _polarimetry, _execution)
    return [problem for check in checks for problem in check(config)]


def _target(config: Config) -> Iterator[Problem]:
    target = config.target
    if target is not None and (target.ra is None) != (target.dec is None):
        there, missing = ("ra", "dec") if target.dec is None else ("dec", "ra")
        yield "target", missing, f"[target] {there}: needs {missing} too, or neither"


def _coadds(config: Config) -> Iterator[Problem]:
    if config.coadd.coadd:
        return
    needing = {
        "[polarimetry]": config.polarimetry is not None,
        "save_adi_cubes = true": config.save_adi_cubes,
        "[adi]": config.adi is not None,
        "[contrast]": config.contrast is not None,
        "[diff_images] make_diff = true": config.diff_images.make_diff,
        "[diff_images] multiband_sdi = true": config.diff_images.multiband_sdi,
    }
    for what, wanted in needing.items():
        if wanted:
            yield "coadd", "coadd", f"[coadd] coadd = false: {what} is made of coadds"


def _measurements(config: Config) -> Iterator[Problem]:
    select, analysis = config.frame_select, config.analysis
    if select.frame_select and select.metric == "strehl":
        if not analysis.strehl:
            what = '[frame_select] metric = "strehl": needs [analysis] strehl = true'
            yield "frame_select", "metric", what
        if config.planetary:
            what = (
                '[frame_select] metric = "strehl": has no meaning for planetary = true; '
                'use "normvar", "l2norm" or "peak"'
            )
            yield "frame_select", "metric", what
    needs_fit = "needs [analysis] fit_psf_model = true"
    if not analysis.fit_psf_model:
        if config.align.align and config.align.method == "model":
            yield "align", "method", f'[align] method = "model": {needs_fit}'
        if config.coadd.recenter and config.coadd.recenter_method == "model":
            what = f'[coadd] recenter_method = "model": {needs_fit}'
            yield "coadd", "recenter_method", what
    if config.coronagraphic and config.planetary:
        yield "", "planetary", "planetary = true: cannot be combined with coronagraphic = true"


def _fluxes(config: Config) -> Iterator[Problem]:
    specphot = config.specphot
    for key in ("spot_contrast", "filter_curves"):
        unknown = [name for name in getattr(specphot, key) if name not in FILTERS]
        if unknown:
            known = ", ".join(FILTERS)
            yield "specphot", key, f"[specphot] {key}: no filter {', '.join(unknown)}; use {known}"
    if specphot.unit == "e-/s":
        return
    if specphot.unit != "contrast" and specphot.source == "pickles":
        absent = [k for k in ("sptype", "mag", "mag_band") if getattr(specphot, k) is None]
        if absent:
            what = f'[specphot] source = "pickles": needs {", ".join(absent)}'
            yield "specphot", "source", what
    spectrum = specphot.source not in ("zeropoints", "pickles")
    if specphot.filter_curves and not spectrum:
        what = "[specphot] filter_curves: only for a spectrum, source = its path; drop them"
        yield "specphot", "filter_curves", what
    needs_star = specphot.unit == "contrast" or specphot.source != "zeropoints"
    if needs_star and config.planetary:
        what = (
            f'[specphot] unit = "{specphot.unit}": a resolved target has no star to compare with; '
            'use source = "zeropoints" and Jy'
        )
        yield "specphot", "unit", what
    if needs_star and specphot.flux_metric == "photometry" and not config.analysis.photometry:
        what = '[specphot] flux_metric = "photometry": needs [analysis] photometry = true'
        yield "specphot", "flux_metric", what


def _images(config: Config) -> Iterator[Problem]:
    for table in ("adi", "contrast"):
        if config.planetary and getattr(config, table) is not None:
            what = f"[{table}]: planetary = true has no star to be subtracted; drop one of them"
            yield table, "", what
    if config.adi is not None and config.adi.reference is not None:
        path = config.resolve(config.adi.reference)
        what = f'[adi] reference = "{config.adi.reference}"'
        if path == config.path:
            yield "adi", "reference", f"{what}: is this reduction; name that of another star"
        elif not path.is_file():
            yield "adi", "reference", f"{what}: no such configuration file"


def _polarimetry(config: Config) -> Iterator[Problem]:
    settings = config.polarimetry
    if settings is None:
        return
    if settings.mm_correct and not settings.derotate:
        what = "[polarimetry] mm_correct = true: needs derotate = true"
        yield "polarimetry", "mm_correct", what
    if settings.method == "leastsq" and not settings.derotate:
        what = '[polarimetry] method = "leastsq": needs derotate = true'
        yield "polarimetry", "derotate", what
    if settings.method == "leastsq" and settings.stream:
        what = '[polarimetry] stream = true: needs method = "triplediff" or "doublediff"'
        yield "polarimetry", "stream", what
    if settings.use_ideal_mm and settings.mueller_table is not None:
        what = "[polarimetry] use_ideal_mm = true: contradicts mueller_table; drop one of them"
        yield "polarimetry", "use_ideal_mm", what
    if settings.ip_correct and settings.ip_method == "annulus":
        outer = settings.ip_radius2
        if outer is None or outer <= settings.ip_radius:
            found = "absent" if outer is None else f"{outer:g} px"
            what = (
                f'[polarimetry] ip_method = "annulus": needs ip_radius2 > ip_radius = '
                f"{settings.ip_radius:g} px, found {found}"
            )
            yield "polarimetry", "ip_method", what


def _execution(config: Config) -> Iterator[Problem]:
    if config.execution.scheduler and config.execution.cluster:
        yield (
            "execution", "cluster",
            "[execution] scheduler and cluster: one of them says where the workers are; remove the "
            "other",
        )  # fmt: skip
