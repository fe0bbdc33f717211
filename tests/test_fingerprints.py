"""Keys of stored results: fingerprints of models, as they were before observables had facts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinscreen.materials import Observable, bogoliubov, library, load_model, write_wannier90

#: Recorded with version 0.1 at schema version 2. None of these models needs more than sums, products and
#: roots, so they are the same on every processor.
BUILT = {
    "kane_mele": "f8cb5509fab133847897117fd0cea1c10548c7ddd3973805ed3ff52a4f4b994b",
    "lattice_dirac": "9d02a92f78d75a9eaff49df0f1baf2b347ddbe183fafdde8373db6b833436f09",
    "rashba_ferromagnet": "f570de5f6891e52f9b7c67abed41f2e0e4f15909a237bb2a171b5ce9f3a13e42",
    "bhz_hgte": "fffc070f972d8d63d3efd45f5e009a6b557fef304e504f9dcaa60a459f1012c5",
}
READ = {
    "_tb.dat": "6772229b71957c396426bd2f8160f69d748197556026120960e6c246f47380ff",
    "_hr.dat": "df130ef909c70ae1486e70f00638bbf956d156ef17ad9facb95acab543bd5927",
}
REAL = {
    "Pt/Pt_tb.dat.gz": "773cf500f6ad9cb8350afeb00b21f5f9d110950d52e6699772a01ac20e72a469",
    "Pt/Pt_hr.dat.gz": "79103b218fa2152e2a175cc7d868f7a08b8cb1381963a6aa3f05b6926b37602c",
    "Fe/Fe_tb.dat": "d6c95b73838a94d93fa7932859d563bb193175a72bc84f06882861257f57da69",
    "Fe/Fe_hr.dat": "528102d3a934c6d41f2a56f673402b7041a42ef6f1e5813e30cd2b10f8faf00c",
    "GaAs/GaAs_tb.dat.gz": "4b48fa66ff74826fe205dd99981cbbd7a8f423a08a11d7c92f144225efdc49f9",
    "GaAs/GaAs_hr.dat.gz": "37ce6f0834ad872a4867cfb263cfcc9e3d721dfb6d57e4c5b9fb849f9dee3857",
}


@pytest.mark.parametrize("name", BUILT)
def test_built_in_models_keep_their_keys(name):
    assert library.load(name).fingerprint == BUILT[name]


def test_models_with_further_observables_keep_their_keys():
    model = library.load("kane_mele")
    charged = "3a20862c765b5181eeac9cd91f3d62cfdf9574ddf537dd459fdd5ed5076d568c"
    assert model.with_charge().fingerprint == charged
    paired = "91be248bc9adcee0737c5f7271b7bb6ccc72200a24aa2cd306ffdf2b4eba031a"
    assert bogoliubov(model, "s").fingerprint == paired
    own = "f52b777cfda6842bd9fd341154fd8cb8edacacffd67bd82f6a5e5d36a7a6e95d"
    assert model.with_observable("valley", np.diag([1, 1, -1, -1])).fingerprint == own


@pytest.mark.filterwarnings("ignore::spinscreen.materials.SpinOrderingWarning")
@pytest.mark.parametrize("ending", READ)
def test_files_keep_their_keys(tmp_path, ending):
    stem = write_wannier90(library.load("kane_mele"), tmp_path)
    assert load_model(stem.with_name(stem.name + ending)).fingerprint == READ[ending]


@pytest.mark.parametrize("path", REAL)
def test_real_files_keep_their_keys(reference_data, path):
    assert load_model(reference_data / path, spin_ordering="none").fingerprint == REAL[path]


def test_what_an_observable_is_makes_another_key():
    """A unit or a label is stored with the numbers; what the name says anyway is not counted."""
    model, matrix = library.load("kane_mele"), np.diag([1.0, 1.0, -1.0, -1.0])
    plain = model.with_observable("valley", matrix)
    assert model.with_observable("valley", matrix, unit="hbar").fingerprint != plain.fingerprint
    assert model.with_observable("valley", matrix, label="K").fingerprint != plain.fingerprint
    assert (
        model.with_observable("valley", Observable(matrix, label="valley")).fingerprint == plain.fingerprint
    )
    spin = replace(model.observable_facts["spin_z"], label="")
    assert model.with_observable("spin_z", spin).fingerprint == model.fingerprint
