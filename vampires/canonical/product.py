"""What is known of a product: how it was made, of what, and what was found in it."""

from __future__ import annotations

from vampires.canonical.fact import Fact, FactCards, Known, Numbered


class ProductFacts(FactCards):
    """Facts of masters, coadds, Stokes frames and cubes."""

    __slots__ = ()

    # any product
    pipeline = Known("PIPELINE", str, "software that made this file")
    frameid = Known("FRAMEID", str, "name of the exposure")
    nfields = Fact("NFIELDS", int, "number of fields")
    field_names = Numbered("FIELD", str, "name of field {}")
    flux_factors = Numbered("FLUXCON", float, "BUNIT per e-/s of field {}")
    photon_errors = Numbered("FLUXSTA", float, "its relative error by photon noise")
    calibration_errors = Numbered("FLUXSYS", float, "its relative error of calibration")

    # a file normalised from the controller's format
    normalised_from = Known("NORMFROM", str, "file this one was made from")
    frames_dropped = Known("NORMDROP", int, "frames of that file which are not in this one")
    flc_number = Known("U_FLCSTT", int, "FLC state (1 or 2)")

    # a master
    master_kind = Known("CALTYPE", str, "kind of master frame")
    ncombine = Known("NCOMBINE", int, "number of frames combined")
    combination = Known("COMBMETH", str, "how the frames were combined")
    bad_pixels = Known("NBADPIX", int, "number of bad pixels")
    lit_fraction = Known("FLATLIT", float, "fraction of the frame the lamp reaches")
    flat_made = Known("FLATOK", bool, "flat was made; F: 1 everywhere stands in")
    flat_reason = Known("FLATWHY", str, "why not")
    background_file = Known("BACKFILE", str, "master background")
    flat_file = Known("FLATFILE", str, "master flat")

    # a coadd
    ncoadd = Known("NCOADD", int, "number of frames combined")
    coadd_method = Known("COADDMET", str, "how the frames were combined")
    refused_frames = Known("NREFUSED", int, "frames whose pixels cannot be data")
    relaxed = Known("RELAXED", str, "preferences the masters do not meet")
    master_pixels = Known("MASTNPIX", float, "detector pixels averaged in each pixel")
    count_threshold = Known("PCTHRESH", float, "threshold of a photon count", "e-")
    count_limit = Known("PCLIMIT", float, "a frame, above which the mean is taken", "e-")
    count_bias = Known("PCBIAS", float, "counted photons over the mean, less 1")
    count_bias_error = Known("PCBIASER", float, "its error, upper limit")
    selected_by = Known("FRAMESEL", str, "what frames were selected by")
    selection_cutoff = Known("SELCUT", float, "quantile discarded")
    registered_by = Known("ALIGNMET", str, "centroid of registration")
    moved_y = Numbered("RECENTY", float, "second registration", "pixel")
    moved_x = Numbered("RECENTX", float, "second registration", "pixel")
    reprojection_scale = Known("REPROJM", float, "magnification onto the other camera")
    reprojection_turn = Known("REPROJR", float, "rotation onto the other camera", "deg")
    north_up = Known("DEROTATE", bool, "north up; F: as the pupil was")

    # an image in physical units
    flux_source = Known("FLUXSRC", str, "where the flux scale comes from")
    flux_doubts = Known("FLUXWARN", str, "what is doubtful about the flux scale")
    flux_metric = Known("FLUXMETR", str, "flux that sets the scale")
    flux_airmass = Known("FLUXAIRM", float, "airmass corrected for")
    zero_point_table = Known("ZPTABLE", str, "version of the table of zero points")
    reference_magnitude = Known("REFMAG", float, "reference magnitude", "mag")
    reference_band = Known("REFBAND", str, "its band")
    beamsplitter_throughput = Known("THRUBS", float, "throughput of the beamsplitter")
    flc_throughput = Known("THRUFLC", float, "throughput of the FLC")
    nd_throughput = Known("THRUND", float, "throughput of the ND filter")
    spot_contrast = Known("CONTRST", float, "flux of a satellite spot over the star's")
    spot_contrast_error = Known("CONTERR", float, "its relative error")
    spot_contrast_source = Known("CONTSRC", str, "where it comes from")
    spot_flux = Known("SPOTFLX", float, "of a satellite spot", "e-/s")
    spot_flux_error = Known("SPOTERR", float, "relative, with the star")
    unocculted_flux = Known("STARFLX", float, "of the star, alike", "e-/s")
    core_flux = Known("COREFLX", float, "of the star in an aperture of 1 FWHM", "e-/s")
    instrumental_flux = Known("INSTFLX", float, "of the star", "e-/s")
    instrumental_magnitude = Known("INSTMAG", float, "instrumental, of the star", "mag")
    zero_point = Known("ZPMAG", float, "Vega magnitude of 1 e-/s", "mag")
    vega_flux = Known("ZPJY", float, "flux of magnitude 0", "Jy")
    star_flux = Known("STARJY", float, "flux of the star", "Jy")
    star_magnitude = Known("STARMAG", float, "of the star in the filter (Vega)", "mag")
    total_throughput = Known("THROUGH", float, "e- per photon on the mirror")

    # several images in one
    nimages = Known("NIMAGES", int, "images that went in")
    difference_definition = Known("DIFFDEF", str, "definition of the difference")
    sdi_scale = Known("SDISCALE", float, "continuum was multiplied by this")
    sdi_scale_error = Known("SDISCERR", float, "error of SDISCALE")
    sdi_state_scale = Known("SDISCAL", float, "SDISCALE of state 1 or 2, which ends the keyword")
    sdi_state_error = Known("SDISCER", float, "SDISCERR of state 1 or 2, which ends the keyword")
    sdi_continuum = Known("SDICONT", str, "continuum filter")
    sdi_magnification = Known("SDIMAGN", float, "continuum was magnified by this")
    star_x = Known("PSFCENTX", int, "x of the star, 0-based", "pixel")
    star_y = Known("PSFCENTY", int, "y of the star, 0-based", "pixel")
    wavelength = Known("WAVE", float, "wavelength", "um")

    # an ADI image
    adi_method = Known("ADIMETH", str, "model of the star")
    adi_components = Known("ADINCOMP", int, "principal components subtracted")
    adi_reference = Known("ADIREF", str, "what the model is made of")
    adi_frames = Known("ADIFRAME", int, "frames of the ADI cube")
    adi_span = Known("ADISPAN", float, "field rotation between them", "deg")
    fwhm = Known("FWHM", float, "of a diffraction-limited star", "pixel")
    star_core = Known("STARCOR", float, "star in an aperture of 1 FWHM, in BUNIT")

    # a Stokes frame
    method = Known("METHOD", str, "how the images were combined")
    collapse = Known("COLLAPSE", str, "how the Stokes frames were combined")
    nsets = Known("NSETS", int, "Stokes frames combined")
    absent = Known("NABSENT", int, "inputs left out: making them failed")
    nstream = Known("NSTREAM", int, "Stokes frames combined, frame by frame")
    interpolations = Known("NINTERP", int, "interpolations: registration, derotation")
    model_corrected = Known("MMCORR", bool, "corrected with a Mueller-matrix model")
    model_source = Known("MMSOURCE", str, "where the light path is from")
    star_corrected = Known("IPCORR", bool, "residual polarisation of the star subtracted")
    star_region = Known("IPMETH", str, "region of STARPOL: aperture or annulus")
    star_radius = Known("IPRAD", float, "radius, or inner radius", "pix")
    hwp_used = Known("HWPUSED", bool, "reduced as if the HWP followed the pupil")
    hwp_reason = Known("HWPWHY", str, "header, configured, evidence or assumed")
    hwp_rms_synchronised = Known("HWPRMSS", float, "residual if it did")
    hwp_rms_fixed = Known("HWPRMSF", float, "residual if it did not")
    hwp_doubtful = Known("HWPDOUBT", bool, "the star prefers the other, or is silent")
    convention = Known("CYLSTOKS", str, "convention of Q_PHI and U_PHI")
    turned = Known("STOKROT", float, "turned from north up", "deg")
    fields_averaged = Known("FIELDAVG", str, "of the fields that see a pixel")
    stokes_planes = Known("STOKES", str, "planes along axis 3")
    nmasters = Known("NMASTERS", int, "sets of masters in plane MASTERS")
    masters = Numbered("MASTER", str, "camera and masters of set {}")

    # of each field of a Stokes frame, its number at the end where there are several
    star_degree = Known("STARPOL", float, "degree of polarisation, mean of the sets", "%")
    star_angle = Known("STARPA", float, "its angle, east of north", "deg")
    efficiency_q = Known("EFFQ", float, "polarisation efficiency of Q")
    efficiency_u = Known("EFFU", float, "polarisation efficiency of U")
    model_ip_q = Known("MMIPQ", float, "model I -> Q")
    model_ip_u = Known("MMIPU", float, "model I -> U")
    model_error_q = Known("MMSYSQ", float, "model error of Q / I, unpolarised light")
    model_error_u = Known("MMSYSU", float, "model error of U / I, unpolarised light")
    model_error_degree = Known("MMSYSP", float, "relative model error of the degree")
    model_error_angle = Known("MMSYSA", float, "model error of the angle", "deg")
    ip_q = Known("IPQ", float, "subtracted Q / I")
    ip_u = Known("IPU", float, "subtracted U / I")
    ip_q_error = Known("IPQERR", float, "error of Q / I")
    ip_u_error = Known("IPUERR", float, "error of U / I")
