"""What the tables of `run` and `demo` show: every column and unit by itself, in words that are true."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from rich.console import Console

from spinscreen.kernels import CONDUCTANCE
from spinscreen.materials import library
from spinscreen.storage import in_natural_units
from spinscreen.workflows import compute
from spinscreen.workflows.cli.results import answers_table, ranked_table, result_table
from spinscreen.workflows.computing import sample_of

T4, T6, T14 = (f"{kind}_hall_conductivity" for kind in ("conventional", "conserved", "proper"))
MODEL = library.load("kane_mele").with_charge()


@pytest.fixture(scope="module")
def cold():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compute(MODEL, 12, 0.5).isel(fermi_energy=0)


@pytest.fixture(scope="module")
def warm():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compute(MODEL, 12, [0.0, 0.5], 300.0).assign_attrs(fermi_level=0.5)


def text_of(table) -> str:
    console = Console(width=240, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def words_of(table) -> str:
    """Text whose lines are joined."""
    return " ".join(text_of(table).split())


def row_of(table, label: str) -> list[str]:
    """Cells of the row of a component."""
    (line,) = [line for line in text_of(table).splitlines() if f"│ {label} " in line]
    return [cell.strip() for cell in line.strip("│ ").split("│")]


def test_a_huge_column_hides_no_other(cold):
    """T6 of Pt at a threshold of 1e-6 eV is 1e10, and T4 beside it was printed as 0."""
    huge = cold.copy(deep=True)
    huge[T6] *= 1e9
    sample = sample_of(MODEL, 0.0)
    before, after = (row_of(answers_table(found, sample), "xy_z") for found in (cold, huge))
    assert [after[1], after[4]] == [before[1], before[4]]
    assert float(before[1].partition("±")[0]) == pytest.approx(-0.8, abs=0.3)
    # What is small beside T6 is a row of its own right all the same.
    assert row_of(answers_table(huge, sample), "xy_y")[1] != "0"


def test_rounding_is_no_row_and_no_number(warm):
    """The Hall currents of the charge vanish by time reversal: 1e-20 S is what a sum leaves."""
    here, sample = warm.isel(fermi_energy=1).copy(deep=True), sample_of(MODEL, 300.0)
    for values in here.values():
        # As of a model whose symmetry nobody knows.
        values.attrs.pop("independent_components", None)
    assert "charge" not in text_of(answers_table(here, sample)).partition("T4:")[0].partition("\n")[2]
    found = text_of(result_table(here, sample))
    for name in ("anomalous_hall_conductivity", "field_induced_density"):
        assert [cell.strip() for cell in row_with(found, name)][1:3] == ["all", "0"]


def test_a_zero_that_nobody_knows_is_told_with_its_error(warm):
    """Of a sum whose terms cancel on a coarse mesh the value says nothing, the bar does."""
    here, sample = warm.isel(fermi_energy=1).copy(deep=True), sample_of(MODEL, 300.0)
    name = "torque_dipole_conductivity"
    here[name][:] = 1e-25
    here[f"{name}_error"][:] = 2e-4
    found = text_of(result_table(here, sample))
    assert "±" in row_with(found, name)[2]


def test_answers_that_are_all_zero_are_one_row(warm):
    here = warm.isel(fermi_energy=1).copy(deep=True)
    for values in here.values():
        values[...] = 0.0
    assert set(row_of(answers_table(here, sample_of(MODEL, 300.0)), "all")) == {"all", "0"}


def test_a_number_in_a_gap_and_its_error_may_both_be_rounding(warm):
    """Levels in a gap are none: -7e-16 +- 5e-16 is what a sum leaves of 0."""
    here, sample = warm.isel(fermi_energy=1).copy(deep=True), sample_of(MODEL, 300.0)
    here["density_of_states"].values[...], here["density_of_states_error"].values[...] = -7e-16, 5e-16
    assert [cell.strip() for cell in row_with(text_of(result_table(here, sample)), "density_of_states")][
        2
    ] == "0"
    # Neither is what a gap makes zero to eight digits.
    name, component = "anomalous_hall_conductivity", {"current_axis": 0, "field_axis": 1}
    here[name].attrs.pop("independent_components", None)
    here[name].values[...] = here[f"{name}_error"].values[...] = 0.0
    for size, shown in ((1.3e-8, "0"), (1.3e-3, "0.0013±0.0013")):
        here[name][component] = here[f"{name}_error"][component] = size * CONDUCTANCE / (2 * np.pi)
        found = [cell.strip() for cell in row_with(text_of(result_table(here, sample)), name)]
        assert found[2] == shown
    here["density_of_states_error"].values[...] = 0.1
    assert "0.00±0.10" in row_with(text_of(result_table(here, sample)), "density_of_states")[2]


def row_with(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if f" {name} " in line]
    return line.strip("│ ").split("│")


def test_what_is_left_out_at_zero_temperature_is_in_the_words(cold, warm):
    printed = words_of(answers_table(cold, sample_of(MODEL, 0.0)))
    assert "the full linear response of the conserved current; here its Fermi-sea part only" in printed
    assert "T15: accumulation_coefficient, left out at T = 0" in printed
    assert "premise: that a field exerts no net torque is unchecked" in printed
    printed = words_of(answers_table(warm.isel(fermi_energy=1), sample_of(MODEL, 300.0)))
    assert "Fermi-sea part" not in printed
    assert "left out" not in printed
    assert "unchecked" not in printed


def test_the_sensitivity_says_what_zero_means(cold):
    printed = words_of(answers_table(cold, sample_of(MODEL, 0.0)))
    assert "T6 +-" not in printed
    assert "0 says no more than that no two levels lie between the thresholds" in printed
    assert cold["conserved_hall_conductivity_sensitivity"].attrs["note"].startswith("0 says no more")


def test_each_observable_is_shown_in_its_unit(cold):
    """Beside the charge spin Hall conductivities of layers were left in (Theta/e) S."""
    numbers, unit = in_natural_units(cold[T4])
    assert unit == "e/2π; e²/h of charge"
    stored = cold[T4].values
    np.testing.assert_array_equal(numbers, stored * 2 * np.pi / CONDUCTANCE)


def test_the_ranking_has_all_three(warm):
    printed = text_of(ranked_table([(warm, ("spin_z", "x", "y"))]))
    for heading in ("T4", "T6", "T14"):
        assert heading in printed
    assert "Hall conductivity xy_z" in printed
