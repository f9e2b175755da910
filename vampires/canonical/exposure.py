"""What is known of an exposure, and of the product made of it."""

from __future__ import annotations

from vampires.canonical.fact import Fact, FactCards, Known


class ExposureFacts(FactCards):
    """Facts of the instrument, the sky and the frames."""

    __slots__ = ()

    # what was observed
    generation = Fact("DETGEN", str, "generation of the instrument")
    file = Fact("RAWFILE", str, "raw file")
    format = Fact("RAWFMT", str, "format of the raw file")
    data_type = Fact("DATA-TYP", str, "kind of data")
    object = Fact("OBJECT", str, "target")
    mode = Fact("OBS-MOD", str, "observing mode")
    camera = Fact("U_CAMERA", int, "camera number")
    flc = Fact("U_FLC", str, "FLC state: A, B, D (dubious) or NA")
    flc_stage = Fact("U_FLCST", str, "FLC in or out of the beam")
    hwp = Fact("RET-ANG1", float, "nominal angle of the HWP", "deg")
    hwp_mode = Known("RET-MOD1", str, "mode of the HWP")
    hwp_sync = Fact("HWPSYNC", bool, "HWP follows the pupil")
    filter01 = Fact("FILTER01", str, "primary filter")
    filter02 = Fact("FILTER02", str, "differential filter")
    filter = Fact("FILTER", str, "filter of the data")
    field_stop = Known("U_FLDSTP", str, "field stop")
    mask = Known("U_MASK", str, "pupil or field mask")
    beamsplitter = Known("U_BS", str, "beamsplitter")
    dichroics = Known("U_MBI", str, "state of the multiband dichroics")
    states = Known("U_NPOLST", float, "polarisation states of the controller's sequence")
    field_source = Known("FLDSRC", str, "where the places of the fields are from")
    synchronised = Known("U_SYNC", bool, "the other camera has the same frames")

    # frames
    nx = Fact("NAXIS1", int, "width", "pixel")
    ny = Fact("NAXIS2", int, "height", "pixel")
    exptime = Fact("EXPTIME", float, "exposure time of a frame", "s")
    nframes = Fact("NFRAMES", int, "number of frames")
    nframes_original = Fact("NDIT", int, "number of frames of the original file")
    integration = Fact("TINT", float, "exposure time of all frames", "s")
    unit = Fact("BUNIT", str, "unit of the pixels")
    crop_x = Fact("PRD-MIN1", int, "first column of the crop, from 0", "pixel")
    crop_y = Fact("PRD-MIN2", int, "first row of the crop, from 0", "pixel")
    crop_nx = Fact("PRD-RNG1", int, "width of the crop", "pixel")
    crop_ny = Fact("PRD-RNG2", int, "height of the crop", "pixel")

    # times
    date = Fact("DATE-OBS", str, "UTC date of mid-exposure")
    mjd = Fact("MJD", float, "UTC of mid-exposure", "day")
    mjd_start = Fact("MJD-STR", float, "UTC of start of exposure", "day")
    mjd_end = Fact("MJD-END", float, "UTC of end of exposure", "day")

    # detector
    detector = Fact("DETECTOR", str, "name of the detector")
    read_mode = Fact("READMODE", str, "readout mode")
    detector_mode = Known("U_DETMOD", str, "mode of the detector, as its controller calls it")
    em_gain = Known("DETGAIN", float, "electron-multiplying gain as set")
    bias = Fact("BIAS", float, "bias level", "adu")
    gain = Fact("GAIN", float, "gain of the converter", "e-/adu")
    effective_gain = Fact("EFFGAIN", float, "detected electrons per adu", "e-/adu")
    read_noise = Fact("RN", float, "effective read noise", "e-")
    dark_current = Fact("DC", float, "dark current", "e-/s/pixel")
    excess_noise = Fact("ENF", float, "excess noise factor")
    full_well = Fact("FULLWELL", float, "full well", "e-")
    saturation = Fact("SATURATE", float, "raw values from here on are saturated", "adu")
    pixel_scale = Fact("PXSCALE", float, "pixel scale", "mas/pixel")
    pixel_area = Fact("PXAREA", float, "solid angle of a pixel", "arcsec^2")
    pupil_angle = Fact("INST-PA", float, "angle of the pupil on the detector", "deg")
    rotator_pupil_angle = Fact("D_IMRPAP", float, "pupil angle of the image rotator", "deg")
    pa_offset = Fact("PAOFFSET", float, "derotation minus parallactic angle", "deg")
    flip = Fact("FLIPY", bool, "frames are flipped in y to match the sky")

    # where the telescope pointed, and how the sky lies
    ra = Known("RA", str, "right ascension, J2000, as the telescope wrote it")
    dec = Known("DEC", str, "declination, J2000, as the telescope wrote it")
    stated_altitude = Known("ALTITUDE", float, "altitude at some moment", "deg")
    stated_rotator = Known("D_IMRANG", float, "image rotator angle at some moment", "deg")
    rotator_mode = Known("D_IMRMOD", str, "what the image rotator follows")
    rotator_position = Known("D_IMRPAD", float, "position angle of the image rotator", "deg")
    rotator_state = Known("D_IMR", str, "state of the image rotator")
    equinox = Known("EQUINOX", str, "of right ascension and declination")
    pa = Known("PA", float, "parallactic angle, mean", "deg")
    pa_start = Known("PA-STR", float, "parallactic angle at the start", "deg")
    pa_end = Known("PA-END", float, "parallactic angle at the end", "deg")
    derotation = Known("DEROTANG", float, "CCW turn to north up, mean", "deg")
    altitude = Known("ALT_MID", float, "altitude, mean, no refraction", "deg")
    azimuth = Known("AZ_MID", float, "azimuth, mean, 0 north, 90 east", "deg")
    zenith_distance = Known("ZD_MID", float, "zenith distance, mean of the exposure", "deg")
    airmass = Known("AIRMASS", float, "airmass")
    sidereal_time = Known("LST_MID", float, "apparent sidereal time, mid-exposure", "deg")
    hwp_sync_angle = Known("HWPSYNCA", float, "added to RET-ANG1 when synchronised", "deg")
    target_ra = Known("TARG-RA", float, "target, ICRS, at mid-exposure", "deg")
    target_dec = Known("TARG-DEC", float, "target, ICRS, at mid-exposure", "deg")
    rotator = Known("IMRANG", float, "image rotator angle, mean", "deg")

    # satellite spots, as the astrogrid was set
    grid_state = Known("X_GRDST", str, "astrogrid on or off")
    grid_separation = Known("X_GRDSEP", float, "separation of the spots", "lambda/D")
    grid_amplitude = Known("X_GRDAMP", float, "amplitude of the astrogrid", "um")
    grid_modulation = Known("X_GRDMOD", float, "modulation of the astrogrid", "Hz")
