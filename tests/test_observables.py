"""What an observable is: unit, rotation, time reversal, sign on holes, label."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscreen.kernels import InputError
from spinscreen.materials import Observable, bogoliubov, library, load_model, with_layer
from spinscreen.storage import Store
from spinscreen.workflows import compute

VALLEY = np.diag([1.0, 1.0, -1.0, -1.0])


@pytest.fixture
def model():
    return library.load("kane_mele")


def test_exact_names_say_what_a_matrix_is(model):
    model = model.with_charge().with_observable("orbital_y", np.diag([1, 1, -1, -1]))
    facts = model.observable_facts
    assert list(facts) == ["spin_x", "spin_y", "spin_z", "charge", "orbital_y"]
    for name, axis in (("spin_x", "x"), ("spin_z", "z"), ("orbital_y", "y")):
        found = facts[name]
        assert (found.unit, found.rotation, found.axis, found.time_reversal) == ("hbar", "axial", axis, -1)
    charge = facts["charge"]
    assert (charge.unit, charge.rotation, charge.axis, charge.time_reversal) == ("e", "scalar", None, 1)
    assert model.observable_units == ("hbar", "hbar", "hbar", "e", "hbar")


@pytest.mark.parametrize("name", ["spin_valley", "spin", "orbital", "charge_difference", "spin_z_2"])
def test_the_beginning_of_a_name_says_nothing(model, name):
    found = model.with_observable(name, VALLEY).observable_facts[name]
    assert (found.unit, found.rotation, found.time_reversal, found.label) == ("1", "", 1, name)


def test_facts_that_are_given(model):
    model = model.with_observable(
        "dipole", VALLEY, unit="e angstrom", rotation="polar", axis="z", label="interlayer dipole"
    )
    found = model.observable_facts["dipole"]
    assert (found.unit, found.axis, found.label) == ("e angstrom", "z", "interlayer dipole")
    assert found.matrix is model.observables["dipole"]
    with pytest.raises(ValueError, match="read-only"):
        found.matrix[...] = 0


def test_an_observable_as_a_whole_or_in_the_constructor(model):
    given = Observable(VALLEY, unit="hbar", time_reversal=-1)
    for made in (
        model.with_observable("valley", given),
        replace(model, observables={**model.observables, "valley": given}),
    ):
        found = made.observable_facts["valley"]
        assert (found.unit, found.time_reversal, found.label) == ("hbar", -1, "valley")
        assert made.observables["valley"] is given.matrix
        assert list(made.observables) == [*model.observables, "valley"]


def test_facts_stay_with_their_name(model):
    model = model.with_observable("valley", VALLEY, unit="hbar")
    assert replace(model, fermi_level=1.0).observable_facts["valley"].unit == "hbar"
    assert replace(model, observables=dict(model.observables)).observable_facts["valley"].unit == "hbar"
    assert model.with_observable("valley", -VALLEY).observable_facts["valley"].unit == "hbar"
    assert "valley" not in replace(model, observables={}).observable_facts
    assert pickle.loads(pickle.dumps(model)).observable_facts["valley"].unit == "hbar"


def test_facts_are_saved(model, tmp_path):
    model = model.with_observable("dipole", VALLEY, unit="e", rotation="polar", axis="z", hole_sign=1)
    model.save(tmp_path / "model.hdf5")
    found = load_model(tmp_path / "model.hdf5")
    assert found.fingerprint == model.fingerprint
    for name, observable in model.observable_facts.items():
        assert found.observable_facts[name].facts == observable.facts


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"rotation": "spinor"}, "rotation is 'spinor', expected '' or 'scalar' or 'polar' or 'axial'"),
        ({"rotation": "axial"}, "axis is None, expected 'x' or 'y' or 'z' where rotation is 'axial'"),
        ({"axis": "z"}, "axis is 'z', expected None where rotation is ''"),
        ({"time_reversal": 0}, "time_reversal is 0, expected 1 or -1"),
        ({"hole_sign": 2}, "hole_sign is 2, expected None or 1 or -1"),
        ({"unit": None}, "unit is None, expected text"),
        ({"units": "hbar"}, "observable 'odd': unknown fact 'units', expected one of unit, rotation"),
    ],
)
def test_facts_that_cannot_be_are_refused(model, facts, message):
    with pytest.raises(InputError, match=message):
        model.with_observable("odd", VALLEY, **facts)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(3), r"observable 'odd' has shape \(3, 3\), expected \(4, 4\) or \(7, 4, 4\)"),
        (1j * np.eye(4), "observable 'odd' is not Hermitian"),
        (np.full((4, 4), np.nan), "observable 'odd' has a NaN or infinite element"),
    ],
)
def test_a_matrix_that_cannot_be_right_is_refused(model, matrix, message):
    with pytest.raises(InputError, match=message):
        model.with_observable("odd", matrix)


@pytest.mark.parametrize("sign", [None, -1, 1])
def test_what_a_hole_carries(model, sign):
    """-X^* as theory section 6 says of every one-body operator, unless its own sign is given."""
    matrix = VALLEY + np.kron([[0, 1], [1, 0]], [[0, 1j], [-1j, 0]])
    doubled = bogoliubov(model.with_observable("own", matrix, unit="hbar", hole_sign=sign), "s")
    expected = (sign or -1) * matrix.conj()
    np.testing.assert_array_equal(doubled.observables["own"][:4, :4], matrix)
    np.testing.assert_array_equal(doubled.observables["own"][4:, 4:], expected)
    assert doubled.observable_facts["own"].unit == "hbar"
    assert doubled.observable_facts["charge"].unit == "e"


def test_observables_made_here_have_facts():
    model = replace(library.load("kane_mele"), position=library.load("kane_mele").position)
    raised = model.position.copy()
    raised[3, 2] += np.diag([1.0, 1.0, 0.0, 0.0])
    layered = with_layer(replace(model, position=raised))
    assert layered.observable_facts["layer"].unit == "1"


@pytest.mark.parametrize("name", ["", " ", "a/b", "a,b", "two\nlines", "tab\there", "\udc80", "n" * 81])
def test_a_name_that_columns_and_files_cannot_have_is_refused(name):
    with pytest.raises(InputError, match="expected a name of 1 to 80 printable characters"):
        library.load("kane_mele").with_observable(name, np.eye(4))


@pytest.mark.parametrize("name", ["x", "y", "z"])
def test_a_name_that_stands_for_a_spin_is_refused(name):
    with pytest.raises(InputError, match=f"expected another name, such as 'dipole_{name}'"):
        library.load("kane_mele").with_observable(name, np.eye(4))


@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(str.isprintable))
@settings(max_examples=10)
def test_whatever_may_be_a_name_is_found_in_the_catalog(name, tmp_path_factory):
    """Its columns are there, the component is read back, and nothing in the store counts as damaged."""
    try:
        model = library.load("kane_mele").with_observable(name, np.diag([1.0, 2.0, 3.0, 4.0]))
    except InputError:
        return
    store = Store.at(tmp_path_factory.mktemp("store") / "r.zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = compute(model, 2, 0.0, quantities=["conventional_hall_conductivity"])
    store.publish(found, "a")
    column = f"conventional_xy_{name}"
    values = found["conventional_hall_conductivity"].sel(observable=name, current_axis="x", field_axis="y")
    assert float(store.build_catalog()[column][0]) == float(values[0])
    assert found.spinscreen.component("conventional_hall_conductivity", f"xy_{name}").equals(values)
    assert store.verify() == ()
