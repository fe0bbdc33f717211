"""`spinscreen fermi`: Fermi lines and maps in a plane, Fermi surfaces as files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import xarray as xr

from spinscreen.kernels import InputError, KMesh, k_slice
from spinscreen.materials import WannierModel
from spinscreen.storage import (
    check_figure,
    draw_fermi_surface,
    draw_map,
    figure_of,
    save_figure,
    write_bxsf,
    write_frmsf,
)
from spinscreen.storage.targets import check_file

from ..calculation import PER_BAND, Calculation
from ..evaluating import evaluate
from ..settings import complete_kmesh
from ..text import mesh_of_text, numbers_of_text
from .arguments import as_options, color_labels, confirm_cost, knows_level
from .options import takes_settings
from .reading import Coupling, Lattice, Settings, Source, SpinDegeneracy, SpinOrdering, Yes, read_source
from .terminal import out

#: Files of other programs by their endings.
_SURFACES = (".frmsf", ".bxsf")


@takes_settings(Calculation, [name for name in PER_BAND if name != "memory_budget"])
def fermi(
    source: Source,
    settings: Settings,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "--save",
            help="Figure of a plane (.png, .pdf, .svg), or file for FermiSurfer (.frmsf), XCrySDen (.bxsf).",
        ),
    ] = Path("fermi.png"),
    color: Annotated[
        str | None,
        typer.Option(help="Quantity and component on the surface: texture:spin_z, berry_curvature:z."),
    ] = None,
    map_of: Annotated[
        str | None,
        typer.Option("--map", help="Quantity and component summed over occupied bands: berry_curvature:z."),
    ] = None,
    energy: Annotated[float | None, typer.Option(help="eV. Default: the Fermi level.")] = None,
    normal: Annotated[
        str | None, typer.Option(help="Cartesian direction normal to the plane of a crystal. Default: 0,0,1.")
    ] = None,
    through: Annotated[str, typer.Option(help="Reduced k point that the plane goes through.")] = "0,0,0",
    points: Annotated[int, typer.Option(min=2, help="k points along the longer side of the plane.")] = 150,
    kmesh: Annotated[
        str | None,
        typer.Option(help="Mesh of a .frmsf or .bxsf: 48 or 48,48,48. Default: spacing 0.1/angstrom."),
    ] = None,
    spin_ordering: SpinOrdering = None,
    lattice: Lattice = None,
    soc: Coupling = None,
    spin_degeneracy: SpinDegeneracy = None,
    yes: Yes = False,
) -> None:
    """Draw Fermi lines, or write a Fermi surface for other programs.

    Lines are of a plane inside the Brillouin zone; surfaces are .frmsf or .bxsf.
    """
    is_surface = output.suffix.lower() in _SURFACES
    direction = None if normal is None else numbers_of_text(normal, "--normal")
    start = numbers_of_text(through, "--through")
    if is_surface:
        check_file(output, "--output")
    else:
        check_figure(output, "--output")
    names = list(dict.fromkeys(["energy", *(word.partition(":")[0] for word in (color, map_of) if word)]))
    _, model = read_source(source, spin_ordering, lattice, soc, spin_degeneracy)
    if energy is None and not knows_level(model, settings):
        raise InputError(
            f"{source}: no file says the Fermi level; give --energy or --fermi-level in eV, or --electrons."
        )
    if is_surface:
        mesh = KMesh(complete_kmesh(model, None if kmesh is None else mesh_of_text(kmesh)))
        confirm_cost(model, mesh.size, yes)
        dataset = evaluate(model, mesh, names, **settings)
    else:
        plane = k_slice(model.lattice, direction, start, points, model.periodic)
        confirm_cost(model, len(plane.points), yes, "points")
        dataset = evaluate(model, plane, _with_spins(names, model), **settings)
    with as_options():
        if is_surface:
            _write(dataset, output, energy, color)
        else:
            _draw(dataset, output, energy, color, map_of)
    out.say(f"{'written' if is_surface else 'drawn'}: {output}")


def _with_spins(names: list[str], model: WannierModel) -> list[str]:
    """With the texture that arrows show where nothing else is asked for."""
    spins = {f"spin_{axis}" for axis in "xyz"} <= set(model.observables)
    return [*names, "texture"] if spins and names == ["energy"] else names


def _named(dataset: xr.Dataset, text: str) -> tuple[str, dict[str, str] | None]:
    name = text.partition(":")[0]
    return name, None if name == text else color_labels(dataset[name], text)


def _write(dataset: xr.Dataset, output: Path, energy: float | None, color: str | None) -> None:
    if output.suffix.lower() == ".bxsf":
        if color is not None:
            raise InputError("--color: a .bxsf has no colours, expected none, or a .frmsf.")
        write_bxsf(dataset, output, energy)
    else:
        write_frmsf(dataset, output, energy, *((None, None) if color is None else _named(dataset, color)))


def _draw(
    dataset: xr.Dataset, output: Path, energy: float | None, color: str | None, map_of: str | None
) -> None:
    given: Any = (None, None) if color is None else _named(dataset, color)
    if map_of is None:
        ax = draw_fermi_surface(dataset, energy, *given)
    else:
        ax = draw_map(dataset, *_named(dataset, map_of), energy=energy, lines=color is None)
        if color is not None:
            draw_fermi_surface(dataset, energy, *given, ax=ax)
    save_figure(figure_of(ax), output)


def add_fermi_command(app: typer.Typer) -> None:
    """Put the command of this module on the command line."""
    app.command(name="fermi")(fermi)
