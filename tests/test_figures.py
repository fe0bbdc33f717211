"""Figures: the pictures of docs/figures.md are what its lines draw, and odd values do not spoil them."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.patches import FancyArrowPatch
from matplotlib.quiver import Quiver
from matplotlib.text import Text

from spinscreen.kernels import InputError, KMesh, k_path, k_slice
from spinscreen.materials import find_materials, library
from spinscreen.storage import Component, draw_curve, draw_scatter, figure_of, open_store
from spinscreen.workflows import Campaign, compute, evaluate, run_campaign

DOCS = Path(__file__).resolve().parents[1] / "docs"

#: Code of the page, and the pictures behind it.
PIECES = re.findall(
    r"```python\n(.*?)```|\]\(figures/(\w+)\.png\)", (DOCS / "figures.md").read_text(), re.DOTALL
)

PICTURES = [name for _, name in PIECES if name]

#: Root mean square of the differences, of 255: 0 between Matplotlib 3.9 and 3.11, and 11 or more where one
#: curve or the colours of a picture have the wrong sign. What is between is for other processors' rounding.
TOLERANCE = 4.0

HALL = "conventional_hall_conductivity"


def picture(name: str):
    look = {"baseline_dir": "baselines", "filename": f"{name}.png", "style": "default"}
    mark = pytest.mark.mpl_image_compare(tolerance=TOLERANCE, savefig_kwargs={"dpi": 80}, **look)
    return pytest.param(name, marks=mark, id=name)


@pytest.fixture(scope="module")
def axes_of_the_page():
    """Picture -> the axes that the page's lines drew, in its order."""
    names: dict[str, Any] = {}
    drawn = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for code, name in PIECES:
            if name:
                drawn[name] = names["ax"]
            else:
                exec(code, names)
    return drawn


def without_letters(ax):
    """The figure with what is in its axes alone: letters, and the layout that they make, differ between
    versions of Matplotlib and FreeType.
    """
    figure = figure_of(ax)
    figure.set_layout_engine("none")
    for number, one in enumerate(figure.axes):
        one.set_position((0.05, 0.05, 0.8, 0.9) if one is ax else (0.8 + 0.05 * number, 0.05, 0.03, 0.9))
        one.xaxis.set_visible(False)
        one.yaxis.set_visible(False)
    for artist in figure.findobj(lambda artist: isinstance(artist, Text | Legend | FancyArrowPatch)):
        artist.set_visible(False)
    return figure


@pytest.mark.parametrize("name", [picture(name) for name in PICTURES])
def test_the_page_shows_what_its_lines_draw(axes_of_the_page, name):
    return without_letters(axes_of_the_page[name])


def test_every_axis_of_the_page_has_a_unit(axes_of_the_page):
    for name, ax in axes_of_the_page.items():
        for one in figure_of(ax).axes:
            labels = (
                [one.get_ylabel()]
                if one is not ax or name.startswith("bands")
                else [one.get_xlabel(), one.get_ylabel()]
            )
            assert all(label.endswith(")") for label in labels), (name, labels)


def test_pictures_are_small():
    sizes = [(DOCS / "figures" / f"{name}.png").stat().st_size for name in PICTURES]
    assert max(sizes) <= 60_000
    for folder in (DOCS / "figures", Path(__file__).parent / "baselines"):
        assert sorted(file.stem for file in folder.glob("*.png")) == sorted(PICTURES)


@pytest.fixture(scope="module")
def result():
    names = [
        HALL,
        "density_of_states",
        "circulation_magnetization",
        "carrier_density",
        "anomalous_hall_conductivity",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compute(
            library.load("rashba_ferromagnet"), 8, np.linspace(-1, 1, 41), temperature=300.0, quantities=names
        )


@pytest.mark.parametrize("quantity", ["dos", "carrier_density", "anomalous", "conventional", "magnetization"])
def test_any_quantity_is_drawn_in_axes_of_the_users(result, quantity):
    ours = Figure().subplots()
    before = ours.xaxis.label.get_size()
    assert draw_curve(result, quantity, ax=ours) is ours
    assert ours.lines
    # The style of the user's axes stays the user's.
    assert ours.xaxis.label.get_size() == before


def test_energies_are_counted_from_the_fermi_level(result):
    level = float(result.attrs["fermi_level"])
    relative = draw_curve(result, "dos").lines[0].get_xdata()
    np.testing.assert_allclose(relative, result["fermi_energy"] - level, atol=1e-12)
    unknown = result.drop_vars("fermi_level").drop_attrs(deep=False).assign_attrs(kind="integrals")
    ax = draw_curve(unknown, "carrier_density")
    assert ax.get_xlabel() == "Fermi energy (eV)"
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), result["fermi_energy"])


def test_the_sum_of_the_parts_is_drawn_with_them(result):
    lines = {line.get_label(): line.get_ydata() for line in draw_curve(result, "magnetization").lines}
    parts = [values for label, values in lines.items() if label in result["part"].values]
    assert len(parts) > 1
    np.testing.assert_allclose(lines["total"], np.sum(parts, axis=0), atol=1e-12)


def test_one_value_far_off_does_not_hide_the_others(result):
    odd = result.copy(deep=True)
    bulk = float(abs(odd["density_of_states"]).max())
    odd["density_of_states"][20] = 1e6 * bulk
    odd["density_of_states_error"][:] = 0
    ax = draw_curve(odd, "dos")
    low, high = ax.get_ylim()
    assert low <= 0
    assert bulk <= high < 10 * bulk
    assert any("1 beyond the axis,\nup to" in text.get_text() for text in ax.texts)
    assert not draw_curve(result, "dos").texts


@pytest.mark.parametrize(("verdict", "is_told"), [(0, True), (1, False), (None, False)])
def test_a_figure_says_that_a_result_is_not_converged(result, verdict, is_told):
    other = result.copy(deep=True)
    other["density_of_states"].attrs.pop("converged", None)
    if verdict is not None:
        other["density_of_states"].attrs["converged"] = verdict
    title = draw_curve(other, "dos").get_title().replace("\N{NO-BREAK SPACE}", " ")
    assert ("not converged" in title) is is_told


def test_what_is_beyond_the_axis_is_told_where_no_curve_is(result):
    odd = result.isel(fermi_energy=slice(0, 40)).copy(deep=True)
    level = float(odd["fermi_energy"].mean())
    energy = odd["fermi_energy"].values - level
    odd["density_of_states"][:] = -1 / np.maximum(abs(energy - energy.min()), 1e-9)
    odd["density_of_states_error"][:] = 0
    (note,) = draw_curve(odd, "dos").texts
    # The pole is at the left, the curve comes to zero, the top, at the right.
    assert "beyond the axis" in note.get_text()
    assert note.get_ha() == "right"
    assert note.get_va() == "bottom"


def test_a_band_of_errors_counts_for_the_axis(result):
    wide = result.copy(deep=True)
    wide["density_of_states_error"][:] = 5 * float(result["density_of_states"].max())
    low, high = draw_curve(wide, "dos").get_ylim()
    assert low < -4 * float(result["density_of_states"].max())
    assert high > 5 * float(result["density_of_states"].max())


def test_each_quantity_shows_its_own_largest_component(result):
    for quantity in ("anomalous", "magnetization", HALL):
        found = result.spinscreen.largest_component(quantity)
        assert isinstance(found, Component)
    assert len(result.spinscreen.largest_component("anomalous")) == 2
    assert str(result.spinscreen.largest_component("dos")) == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dos", "xy_z"), "component: expected a name"),
        (("nonsense",), "quantity: 'nonsense' is not in the dataset, expected one of"),
        (("thermal",), "for it compute quantities=thermal_hall_conductivity, at a temperature such as 300"),
        ((["dos", "anomalous"],), "component: .* is no component of anomalous"),
        ((["dos", "carrier_density"],), "expected quantities of one unit in one figure, found"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(result, arguments, message):
    with pytest.raises(InputError, match=message):
        result.spinscreen.draw(*arguments)


@pytest.fixture(scope="module")
def bands():
    model = library.load("WSe2")
    path = k_path(
        [("GAMMA", (0, 0, 0)), ("X_1", (0.5, 0, 0)), None, ("K", (1 / 3, 2 / 3, 0)), ("G", (0, 0, 0))],
        model.lattice,
        12,
    )
    return evaluate(model, path, ["energy", "texture", "berry_curvature"])


def test_a_path_is_labelled_and_broken_where_it_breaks_off(bands):
    ax = bands.spinscreen.draw_bands("texture", "spin_z")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["Γ", "X₁|K", "Γ"]
    (lines,) = ax.collections
    steps = np.array(lines.get_segments())
    total = float(bands["distance"][-1])
    # No line is longer than a step: none crosses the gap.
    assert np.ptp(steps[..., 0], axis=1).max() < total / 12
    assert steps[..., 0].max() > total
    assert lines.norm.vmin == -0.5
    assert lines.norm.vmax == 0.5


def test_words_are_written_once(result):
    ax = result.spinscreen.draw("dos")
    assert ax.get_ylabel().startswith("density of states")
    assert ax.get_title().split(": ")[0] == result.attrs["model_name"]
    assert "density" not in ax.get_title()
    assert "anomalous" in result.spinscreen.draw("anomalous").get_title()


def test_a_window_is_about_the_fermi_level(bands):
    ax = bands.spinscreen.draw_bands(window=(-2, 2))
    assert ax.get_ylim() == (-2, 2)
    level = float(bands.attrs["fermi_level"])
    within = (abs(bands["energy"] - level) <= 2).any("k")
    assert len(ax.collections[0].get_segments()) == 2 * int(within.sum())


def test_a_window_without_bands_is_refused(bands):
    with pytest.raises(
        InputError, match=r"window: expected one with bands, which reach from .* eV, found 90 to"
    ):
        bands.spinscreen.draw_bands(window=(90, 91))
    unknown = bands.drop_vars("fermi_level").drop_attrs(deep=False)
    with pytest.raises(InputError, match="they count from 0, the Fermi level is unknown"):
        unknown.spinscreen.draw_bands(window=(90, 91))


def test_rounding_has_no_colour(bands):
    flat = bands.assign(berry_curvature=bands["berry_curvature"] * 1e-15)
    flat["berry_curvature"].attrs = bands["berry_curvature"].attrs
    lines = flat.spinscreen.draw_bands("berry_curvature", "z").collections[0]
    shades = lines.norm(lines.get_array())
    np.testing.assert_allclose(shades, 0.5, atol=1e-3)


def spins_along(ax):
    (arrows,) = [artist for artist in ax.collections if isinstance(artist, Quiver)]
    return np.column_stack([arrows.X, arrows.Y]), np.column_stack([arrows.U, arrows.V])


def test_spins_point_where_the_rashba_coupling_turns_them():
    """In the plane the spin is normal to k, in a mesh as in a slice; on both bands, with opposite senses."""
    model = library.load("rashba_ferromagnet")
    mesh = evaluate(model, KMesh((40, 40, 1)), ["energy", "texture"])
    plane = evaluate(model, k_slice(model.lattice, points=60, periodic=model.periodic), ["energy", "texture"])
    # Near the bottom of a band, where the lattice is not felt.
    level = float(mesh["energy"].min()) + 0.3
    for dataset in (mesh, plane):
        places, spins = spins_along(dataset.spinscreen.draw_fermi_surface(level))
        radial = places / np.linalg.norm(places, axis=1)[:, None]
        along = spins / np.linalg.norm(spins, axis=1)[:, None]
        # Arrows show the nearest grid point, up to half a step (4 degrees) away.
        assert np.abs((radial * along).sum(1)).max() < 0.3


def test_fermi_lines_of_a_mesh_and_of_a_slice_are_the_same():
    model = library.load("WSe2")
    mesh = evaluate(model, KMesh((48, 48, 1)), ["energy"])
    plane = evaluate(model, k_slice(model.lattice, points=80, periodic=model.periodic), ["energy"])
    level = mesh.attrs["fermi_level"] - 0.9
    lengths = []
    for dataset in (mesh, plane):
        ax = dataset.spinscreen.draw_fermi_surface(level)
        zone = ax.patches[0].get_path()
        found = 0.0
        for line in ax.collections[0].get_segments():
            inside = zone.contains_points((line[1:] + line[:-1]) / 2)
            found += float(np.linalg.norm(np.diff(line, axis=0), axis=1)[inside].sum())
        lengths.append(found)
    # Contours of 48 and of 80 points agree to the square of a step.
    assert lengths[0] == pytest.approx(lengths[1], rel=0.02)


def test_maps_are_sums_over_occupied_bands():
    model = library.load("WSe2")
    plane = evaluate(
        model, k_slice(model.lattice, points=12, periodic=model.periodic), ["energy", "berry_curvature"]
    )
    ax = plane.spinscreen.draw_map("berry_curvature", "z", lines=False)
    filled = plane["energy"] < plane.attrs["fermi_level"]
    expected = plane["berry_curvature"].sel(axis="z").where(filled, 0).sum("band")
    np.testing.assert_allclose(np.ravel(ax.collections[0].get_array()), expected)


def test_crystals_and_layers_are_not_mixed(tmp_path):

    run_campaign(
        Campaign([m for m in find_materials("library") if m.id in ("MoS2", "WS2")], kmesh=6), tmp_path / "r"
    )
    catalog = open_store(tmp_path / "r")["catalog"].to_dataset().load()
    mixed = catalog.assign(dimension=("material", [2.0, 3.0]))
    with pytest.raises(InputError, match="dimensions 3 and 2, whose units differ"):
        draw_scatter(mixed)
    panels = mixed.spinscreen.plot_scatter("xy_z").axes
    assert [ax.get_title() for ax in panels] == ["crystals", "layers"]
    assert "S/cm" in panels[0].get_xlabel()
    assert "e/2π" in panels[1].get_xlabel()
    legend = draw_scatter(catalog, color="name").get_legend()
    assert {text.get_text() for text in legend.get_texts()} == {"MoS2", "WS2"}
    for wrong, message in (
        ({"x": "nothing"}, "is not in the catalog"),
        ({"x": "name"}, "expected a column of numbers"),
    ):
        with pytest.raises(InputError, match=message):
            draw_scatter(catalog, **wrong)
