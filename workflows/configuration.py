"""What a user can set about a campaign: one validated model behind the file, its template and `--set`."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from spinscreen.kernels import InputError, band_quantities
from spinscreen.materials import is_library
from spinscreen.materials.spin_orbit import read_couplings

from .calculation import Calculation
from .plan import budget_bytes
from .setting_kinds import Option, OptionalMesh, option_of
from .setting_names import modern_names
from .text import mesh_of_text, names_of_text
from .validation import Count, NotNegative, Positive, Table, validated


def _time_as_text(value: object) -> object:
    """TOML reads 01:00:00 without quotes as a time of day."""
    return value.isoformat() if isinstance(value, time) else value


Walltime = Annotated[str, BeforeValidator(_time_as_text), Field(pattern=r"^\d+:[0-5]\d:[0-5]\d$")]

#: Seconds without any worker after which a driver gives up, jobs in a queue excepted.
DEFAULT_WORKER_TIMEOUT = 300.0

#: Address of the dashboard: nobody but users of this machine can reach it.
DEFAULT_DASHBOARD = "127.0.0.1:0"

#: Settings of the cluster that are paths.
_PATHS_OF_CLUSTER = ("python", "tls_ca_file", "tls_cert", "tls_key", "tls_folder")

#: What a shell takes for a variable.
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})")

#: Characters that end a line or a string, and so have no place in a job script.
_LINE_ENDS = ("\n", "\r", "\0")


class CampaignCalculation(Calculation):
    """What is computed for every material."""

    band_kmesh: Annotated[OptionalMesh, Option(parse=mesh_of_text, example="24")] = Field(
        None, description="also stream values per k and band on this mesh to the store's /bands"
    )
    band_quantities: Annotated[tuple[str, ...], Option(parse=names_of_text)] = Field(
        ("energy", "texture"), description="what is streamed where band_kmesh is given"
    )
    spread_after: NotNegative = Field(
        60.0,
        description="estimated seconds on one core beyond which a material uses all workers and keeps "
        "partial results",
    )
    attempts: Count = Field(2, description="how often a failing material is tried in all")
    material_timeout: Positive = Field(
        86400.0,
        description="seconds after which a material that does not end is recorded as failed and its worker "
        "started anew; not for one that has spread over all workers",
    )

    @model_validator(mode="after")
    def _streams(self) -> CampaignCalculation:
        band_quantities(self.band_quantities)
        return self


class Reading(Table):
    """How materials are read whose line in a manifest does not say otherwise."""

    spin_ordering: Literal["interlaced", "block", "none"] | None = Field(
        None, description="order of the spinors, where there is no .chk + .spn"
    )
    soc: str | None = Field(
        None, description="spin-orbit coupling lambda L.S in eV added to models without, by element and shell"
    )
    spin_degeneracy: int | None = Field(
        None, ge=1, le=2, strict=True, description="electrons in each band; 1 for one spin channel alone"
    )
    lattice: str | None = Field(
        None,
        description="unit cell of the only material of the source, where no file has it: nine numbers in "
        "angstrom, or a file",
    )

    @model_validator(mode="after")
    def _couples(self) -> Reading:
        if self.soc is not None:
            read_couplings(self.soc)
        return self

    @property
    def given(self) -> dict[str, Any]:
        """What is said, as keywords of `load_model`."""
        return self.model_dump(exclude_none=True)


class Cluster(Table):
    """Where it runs."""

    kind: Literal["local", "scheduler", "slurm", "pbs", "lsf"] = Field(
        "local", description="local, scheduler, slurm, pbs or lsf"
    )
    workers: int | None = Field(
        None,
        ge=0,
        strict=True,
        description="kind local: worker processes, 0 for this process alone; default: all cores",
    )
    address: str | None = Field(None, description="kind scheduler: of a running one, tls://host:8786")
    queue: str | None = Field(None, description="queue or partition of the jobs")
    account: str | None = Field(None, description="project that pays for the jobs")
    cores: Count = Field(1, description="cores of a job, one worker process on each")
    memory: str = Field("4 GiB", description="memory of a job")
    request_memory: bool = Field(
        True,
        strict=True,
        description="false: the job's header says nothing of memory, where the site forbids it",
    )
    walltime: Walltime = Field("01:00:00", description="of a job, H:MM:SS; its workers leave before it ends")
    minimum_jobs: int = Field(0, ge=0, strict=True, description="jobs that are kept waiting or running")
    maximum_jobs: Count = Field(10, description="jobs at most; in between as many as there is work for")
    interface: str | None = Field(None, description="network interface of the workers, for example ib0")
    directives: tuple[str, ...] = Field((), description="further lines for the job's header, '--qos=long'")
    prologue: tuple[str, ...] = Field((), description="shell lines before the worker: modules, environment")
    python: str | None = Field(None, description="interpreter of the workers; default: the driver's")
    driver_walltime: Walltime = Field("24:00:00", description="of the driver, where it is a job itself")
    worker_timeout: Positive = Field(
        DEFAULT_WORKER_TIMEOUT,
        description="seconds without any worker after which the campaign ends; jobs in a queue do not count",
    )
    scheduler_port: int = Field(
        0, ge=0, strict=True, le=65535, description="of the scheduler, where it is started here"
    )
    dashboard_address: str = Field(
        DEFAULT_DASHBOARD,
        pattern=r"^[^:\s]*:\d+$",
        description="host:port of the pages that show the cluster; whoever reaches them needs no password",
    )
    tls_ca_file: str | None = Field(
        None, description="certificates that are trusted (PEM); default: keys of this run alone"
    )
    tls_cert: str | None = Field(None, description="own certificate, signed by one of these")
    tls_key: str | None = Field(None, description="its key, where it is not in the same file")
    tls_folder: str | None = Field(
        None, description="folder that all nodes see, for the keys of jobs; default: that of their output"
    )

    @property
    def is_batch(self) -> bool:
        """Whether workers are jobs of a batch system."""
        return self.kind not in ("local", "scheduler")

    @model_validator(mode="after")
    def _complete(self) -> Cluster:
        self._lines_are_whole()
        if (self.tls_ca_file is None) != (self.tls_cert is None) or (self.tls_key and not self.tls_cert):
            raise ValueError(
                "tls_cert: expected tls_ca_file and tls_cert together, with tls_key if the key is in a file "
                f"of its own, found {self.tls_ca_file!r}, {self.tls_cert!r} and {self.tls_key!r}"
            )
        if (self.kind == "scheduler") != (self.address is not None):
            raise ValueError(
                "address: expected an address such as tls://host:8786 with kind = 'scheduler', and only "
                f"there, found kind {self.kind!r} and address {self.address!r}"
            )
        if self.minimum_jobs > self.maximum_jobs:
            raise ValueError(
                f"minimum_jobs: expected at most maximum_jobs = {self.maximum_jobs}, "
                f"found {self.minimum_jobs}"
            )
        budget_bytes(self.memory, "memory")
        return self

    def _lines_are_whole(self) -> None:
        """Whatever ends up in a job script must not begin a line of its own there."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            for text in value if isinstance(value, tuple) else (value,):
                if isinstance(text, str) and any(end in text for end in _LINE_ENDS):
                    raise ValueError(f"{name}: expected text on one line, found {text!r}")


class CampaignFile(Table):
    """A whole campaign: source and store, what is computed, where it runs."""

    source: str = Field(
        description="folder tree, manifest (.csv, .json, .yaml) or 'library'; ~ and $NAME are replaced"
    )
    store: str = Field("results.zarr", description="Zarr store; what it has already is not computed again")
    calculation: CampaignCalculation = CampaignCalculation()
    reading: Reading = Reading()
    cluster: Cluster = Cluster()

    @model_validator(mode="after")
    def _fits(self) -> CampaignFile:
        if any(end in self.store for end in _LINE_ENDS):
            # Its name is in job scripts, too.
            raise ValueError(f"store: expected a path on one line, found {self.store!r}")
        share = budget_bytes(self.cluster.memory) // self.cluster.cores
        if self.cluster.is_batch and budget_bytes(self.calculation.memory_budget) > share:
            raise ValueError(
                f"calculation.memory_budget: {self.calculation.memory_budget} is more than a worker's share "
                f"of the job, cluster.memory / cluster.cores = {share / 2**20:.0f} MiB"
            )
        return self


def read_campaign_file(path: Path, changes: Sequence[str] = ()) -> CampaignFile:
    """Settings of a TOML file; `changes` such as "calculation.kmesh=24" go first.

    Paths in the file count from its folder. Raises InputError naming the file and the setting.
    """
    try:
        content = tomllib.loads(path.read_text())
    except OSError as problem:
        raise InputError(f"{path}: cannot be read ({problem.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise InputError(f"{path}: not a TOML file ({problem}).") from None
    for name in ("source", "store"):
        place = content.get(name)
        if isinstance(place, str) and not (name == "source" and is_library(place)):
            content[name] = str(path.parent / expanded(place, f"{path}: {name}"))
    return campaign_settings(content, changes, str(path))


def campaign_settings(content: Mapping[str, Any], changes: Sequence[str], where: str) -> CampaignFile:
    """Validated settings from tables and overriding "table.name=value" texts. Raises InputError."""
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in content.items()}
    if isinstance(table := merged.get("calculation"), dict):
        # Seen by whoever runs a file, unlike what is deprecated for those who program.
        merged["calculation"] = modern_names(table, FutureWarning)
    for change in changes:
        _apply(merged, change)
    for name in ("source", "store"):
        if isinstance(place := merged.get(name), str) and not (name == "source" and is_library(place)):
            merged[name] = expanded(place, f"{where}: {name}")
    if isinstance(cluster := merged.get("cluster"), dict):
        merged["cluster"] = {
            name: expanded(value, f"{where}: cluster.{name}") if name in _PATHS_OF_CLUSTER else value
            for name, value in cluster.items()
        }
    return validated(CampaignFile, merged, where)


def expanded(place: Any, where: str) -> Any:
    """A path with ~ and $NAME or ${NAME} replaced, unless it is there as it is; what is no text stays.

    where : what the sentence names. Raises InputError for a variable that is not set.
    """
    if not isinstance(place, str) or os.path.lexists(place):
        return place
    found = os.path.expandvars(os.path.expanduser(place))  # noqa: PTH111 - as a shell, which leaves ~nobody
    if (unset := _VARIABLE.search(found)) is not None:
        raise InputError(
            f"{where}: the variable {unset[0]} is not set, expected one that is, or a path without it; found "
            f"{place!r}."
        )
    return found


def _apply(content: dict[str, Any], change: str) -> None:
    name, equals, text = change.partition("=")
    *tables, key = name.strip().split(".")
    if not equals or not key or len(tables) > 1:
        raise InputError(
            f"--set: expected table.name=value, for example calculation.kmesh=24, found {change!r}."
        )
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        # Text without quotes, which a shell would have eaten.
        value = text.strip()
    table = content.setdefault(tables[0], {}) if tables else content
    if not isinstance(table, dict):
        raise InputError(f"--set: {tables[0]!r} is not a table, found {change!r}.")
    table |= modern_names({key: value}, FutureWarning) if tables == ["calculation"] else {key: value}


def template(calculation: type[Calculation] = CampaignCalculation) -> str:
    """A campaign file with every setting, its meaning and its default in comments.

    calculation : the settings of the table of that name
    """
    lines = [
        "# A campaign of spinscreen: `spinscreen submit` runs it. Paths count from this file's folder.",
        "",
    ]
    lines += [f"# {CampaignFile.model_fields['source'].description}", 'source = "library"', ""]
    lines += [f"# {CampaignFile.model_fields['store'].description}", 'store = "results.zarr"']
    tables: dict[str, type[BaseModel]] = {"calculation": calculation, "reading": Reading, "cluster": Cluster}
    for name, table in tables.items():
        lines += ["", f"# {(table.__doc__ or '').splitlines()[0]}", f"[{name}]"]
        for key, field in table.model_fields.items():
            shown = option_of(table, key).example if field.default is None else _toml(field.default)
            lines += [
                f"# {key} = {shown or _EXAMPLES.get(key, _UNKNOWN)}".ljust(44) + f"  # {field.description}"
            ]
    return "\n".join(lines) + "\n"


#: What the template shows for settings of reading and the cluster whose default is to have none.
_EXAMPLES = {
    "spin_ordering": '"interlaced"',
    "soc": '"Fe:d=0.05"',
    "spin_degeneracy": "1",
    "lattice": '"POSCAR"',
    "workers": "4",
    "address": '"tls://host:8786"',
    "queue": '"normal"',
    "account": '"project"',
    "interface": '"ib0"',
    "tls_ca_file": '"/path/to/ca.pem"',
    "tls_cert": '"/path/to/cert.pem"',
    "tls_key": '"/path/to/key.pem"',
    "tls_folder": '"/path/to/folder"',
    "python": '"/path/to/python"',
}


#: The same where nobody has given one.
_UNKNOWN = '"..."'


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
