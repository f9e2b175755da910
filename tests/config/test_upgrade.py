"""Configs of earlier versions of the public pipeline."""

import tomllib

import pytest

from vampires.config import config_from_dict
from vampires.config.upgrade import upgrade_text
from vampires.errors import ConfigError

V0_6 = """
name = "a"
version = "0.6.1"
[calibrate.master_darks]
cam1 = "darks/cam1.fits"
[register]
[collapse]
[polarimetry]
derotate_pa = true
N_per_hwp = 1
"""

V0_8 = """
# first night
name = "20230101_ABAur"
version = "0.8.3"

[coordinate]
object = "AB Aur"   # Herbig
ra = "04:55:45.8"
dec = "30:33:04"
parallax = 6.4

[frame_centers]
cam1 = [127.5, 127.5]

[coronagraph]
iwa = 55

[satspots]
radius = 11.2

[calibrate]
output_directory = "calibrated"
fix_bad_pixels = true

[calibrate.master_backgrounds]
cam1 = "cals/back_cam1.fits"
cam2 = "cals/back_cam2.fits"

[calibrate.distortion]
transform_filename = "distortion.csv"

[frame_select]
# harsh but fair
cutoff = 0.3
metric = "peak"
window_size = 30

[register]
method = "gaussian"
dft_factor = 5
window_size = 25

[collapse]
method = "varmean"  # weighted

[analysis]
model = "gaussian"
strehl = false
recenter = true

[analysis.photometry]
aper_rad = 10

[diff]
output_directory = "diff"

[polarimetry]
method = "difference"
order = "QQUU"
adi_sync = false

[polarimetry.ip]
method = "photometry"
aper_rad = 6

[products]
adi_cubes = true
"""

V0_10 = """
name = "b"
dpp_version = "0.10.0"
make_diff_images = true
save_adi_cubes = true
coronagraphic = true

[object]
object = "HD 1"
ra = "01:00:00"
dec = "-10:00:00"
parallax = 10

[calibrate]
calib_directory = "cals"
flat_correct = true
distortion_file = "d.csv"

[analysis]
subtract_radprof = false
aper_rad = "auto"
window_size = 30
dft_factor = 100

[collapse]
method = "median"
frame_select = "normvar"
centroid = "gauss"
select_cutoff = 0.1
recenter = "com"

[polarimetry]
method = "triplediff"
mm_method = "ideal"
ip_method = "satspots"
ip_radius = 12
"""

V0_13 = """
name = "c"
dpp_version = "0.13.2"

[target]
name = "Mars"
ra = "01:00:00"
dec = "10:00:00"
parallax = 10

[calibrate]
reproject = false
[calibrate.satspot_reference]
separation = 20.0
angle = 45.0

[analysis]
fit_psf = true
psf_model = "gaussian"

[combine]
method = "pdi"

[frame_select]
metric = "max"
cutoff = 0.5

[register]
method = "model"
dft_factor = 30
crop_width = 400

[coadd]
coadd = true
recenter = false
recenter_dft_factor = 30

[diff_images]
make_diff = true
method = "doublediff"
save_single = true

[polarimetry]
planetary = true
"""


def upgraded(text):
    """The new configuration, and what was said of it."""
    result = upgrade_text(text)
    return config_from_dict(tomllib.loads(result.text)), result


def test_0_6_darks_and_inverted_derotation():
    config, result = upgraded(V0_6)
    assert config.calibrate.calib_directory == "darks"
    assert config.polarimetry.hwp_adi_sync is False
    assert any("N_per_hwp" in line for line in result.dropped)


def test_0_8_every_key_has_its_place():
    config, result = upgraded(V0_8)
    assert config.target.name == "AB Aur"
    assert config.coronagraphic
    assert config.save_adi_cubes
    assert config.calibrate.calib_directory == "cals"
    assert config.frame_select.frame_select
    assert (config.frame_select.metric, config.frame_select.cutoff) == ("peak", 0.3)
    assert config.align.method == "model"
    assert config.analysis.fit_psf_model
    assert (config.analysis.window_size, config.analysis.phot_aper_rad) == (30, 10.0)
    assert config.analysis.strehl is False
    assert config.coadd.method == "varmean"
    assert config.diff_images.make_diff
    assert config.polarimetry.method == "triplediff"
    assert config.polarimetry.hwp_adi_sync is False
    assert config.polarimetry.ip_correct
    assert (config.polarimetry.ip_method, config.polarimetry.ip_radius) == ("aperture", 6.0)
    for comment in ("# first night", "# Herbig", "# harsh but fair", "# weighted"):
        assert comment in result.text
    told = "\n".join(result.dropped)
    for lost in (
        "frame_centers",
        "iwa",
        "radius",
        "output_directory",
        "transform_filename",
        "dft_factor",
        "order",
        "window_size = 25",
    ):
        assert lost in told
        assert lost in result.text  # kept as a comment


def test_0_8_steps_that_were_off_are_told():
    result = upgrade_text('name = "a"\nversion = "0.8.0"\n')
    assert len([line for line in result.dropped if "switched the step off" in line]) == 3


def test_0_10_collapse_is_taken_apart():
    config, result = upgraded(V0_10)
    assert config.target.name == "HD 1"
    assert config.diff_images.make_diff
    assert config.coadd.method == "median"
    assert (config.coadd.recenter, config.coadd.recenter_method) == (True, "com")
    assert config.frame_select.frame_select
    assert (config.frame_select.metric, config.frame_select.cutoff) == ("normvar", 0.1)
    assert config.align.method == "model"
    assert config.analysis.fit_psf_model
    assert config.analysis.phot_aper_rad == 8.0
    assert config.polarimetry.use_ideal_mm
    assert config.polarimetry.ip_correct is False  # spots: another region than any we have
    assert any("distortion_file" in line for line in result.dropped)


def test_0_13_register_becomes_align():
    config, result = upgraded(V0_13)
    assert (config.align.method, config.align.crop_width) == ("model", 400)
    assert config.analysis.fit_psf_model
    assert config.analysis.psf_model == "moffat"
    assert config.frame_select.frame_select is False  # had a switch by then
    assert config.coadd.recenter is False
    assert config.diff_images.save_double
    assert config.polarimetry.cyl_stokes == "radial"
    assert any("separation" in line for line in result.dropped)


def test_a_present_config_keeps_everything_but_its_version():
    text = 'name = "a"\ndpp_version = "0.14.3"\n\n[coadd]\nmethod = "median"  # yes\n'
    result = upgrade_text(text)
    assert result.converted == ()
    assert len(result.dropped) == 1
    assert '[coadd]\nmethod = "median"  # yes\n' in result.text


def test_masters_in_different_folders_cannot_be_converted():
    result = upgrade_text('[calibrate]\nmaster_flats = {cam1 = "a/1.fits", cam2 = "b/2.fits"}\n')
    assert len(result.dropped) == 2
    assert "one folder" in result.dropped[0]


def test_not_toml():
    with pytest.raises(ConfigError, match=r"old\.toml: not valid TOML"):
        upgrade_text("[a\n", "old.toml")


def test_unknown_keys_stay_for_the_loader_to_complain_of():
    result = upgrade_text("[coadd]\nmystery = 1\n")
    assert "mystery = 1" in result.text
