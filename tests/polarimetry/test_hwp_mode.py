"""The mode of the half-wave plate: headers first, then configuration and the star's evidence."""

import pytest
from astropy.io import fits
from fixtures.stars import MODEL, exposures

from vampires.errors import PolarimetryError
from vampires.polarimetry.hwp_mode import HwpMode, mode_of_headers, mode_of_star

MODELS = {"675-50": MODEL}


def star(seed, **changes):
    return [e for e, _ in exposures(seed, q=0.001, u=0.002, **changes)]


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_the_wrong_mode_is_doubted_and_the_right_one_is_not(truth, seed):
    own = star(seed, synchronised=truth)
    right = mode_of_star(own, MODELS, truth)
    wrong = mode_of_star(own, MODELS, not truth)
    assert (right.synchronised, right.reason, right.doubtful) == (truth, "configured", False)
    assert (wrong.synchronised, wrong.doubtful) == (not truth, True)
    chosen = mode_of_star(own, MODELS, "auto")
    assert (chosen.synchronised, chosen.reason, chosen.doubtful) == (truth, "evidence", False)


def test_without_evidence_it_is_assumed_and_said():
    few = mode_of_star(star(0, cycles=1)[:8], MODELS, "auto")
    assert (few.synchronised, few.reason, few.doubtful) == (True, "assumed", True)
    noisy = mode_of_star(star(0, cycles=2, noise=0.05), MODELS, "auto")
    assert noisy.reason == "assumed"
    assert noisy.cards()["HWPDOUBT"][0] is True


def test_a_mode_is_kept_in_a_file(tmp_path):
    for mode in (mode_of_star(star(1), MODELS, "auto"), HwpMode(True, "header")):
        again = HwpMode.from_table(mode.to_table())
        assert again == mode
        assert again.cards() == mode.cards()


def header(word, sync):
    return fits.Header({"RET-MOD1": word, "HWPSYNC": sync, "FILENAME": "x.fits"})


def test_headers_that_say_decide():
    on, off = header("SYNCHRO_ADI", True), header("SYNCHRO_OFF", False)
    assert mode_of_headers([fits.Header()], "auto") is None
    assert mode_of_headers([on, on], "auto") == HwpMode(True, "header")
    assert mode_of_headers([off], "auto") == HwpMode(False, "header")
    assert mode_of_headers([off], False) == HwpMode(False, "header")
    with pytest.raises(PolarimetryError, match="changes in the night"):
        mode_of_headers([on, off], "auto")
    with pytest.raises(PolarimetryError, match="set hwp_adi_sync = false"):
        mode_of_headers([off], True)
