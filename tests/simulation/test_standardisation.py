"""A short version of :mod:`tests.simulation.standardisation`."""

import numpy as np
import pytest

from tests.simulation.standardisation import Design, one_study, run, target

pytestmark = pytest.mark.slow

STUDIES = 200


SPREAD = 3 / np.sqrt(2 * STUDIES)
HELD = 300 * np.sqrt(0.05 * 0.95 / STUDIES)


def test_standard_errors_are_about_other_people_too():
    """Half of the variance is who was drawn: errors without it are a third too small."""
    found = run([Design(people=100, curve=True)], STUDIES, workers=1).set_index("inference")
    for method in ("kenward-roger", "CR2"):
        row = found.loc[method]
        assert row["random: se/spread"] == pytest.approx(1, abs=SPREAD)
        assert row["random: held"] == pytest.approx(95, abs=HELD)
        assert row["fixed: se/spread"] < 1 - SPREAD
        assert row["fixed: held"] < 95 - HELD
    assert row["estimate"] == pytest.approx(5, abs=0.2)
    assert row["LS"] == pytest.approx(1, abs=0.2)


def test_with_a_wrong_model_of_the_mean_the_sandwich_holds():
    """The errors of coefficients and people go against each other; added up they are too large."""
    found = run([Design(people=200, curve=False)], STUDIES, workers=1).set_index("inference")
    row = found.loc["CR2"]
    assert row["estimate"] == pytest.approx(target(curve=False), abs=0.2)
    assert row["random: se/spread"] == pytest.approx(1, abs=SPREAD)
    assert row["random: held"] == pytest.approx(95, abs=HELD)
    assert found.loc["kenward-roger", "random: se/spread"] > 1 + SPREAD


def test_a_seed_gives_the_same_study():
    design = Design(people=30, curve=True)
    assert one_study(design, 3) == one_study(design, 3)
    assert one_study(design, 3) != one_study(design, 4)
