"""The campaign file, its template, overrides, and the job scripts that come of it."""

from __future__ import annotations

import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
from command_line import spinscreen

from spinscreen.kernels import InputError
from spinscreen.materials import find_materials
from spinscreen.storage import campaigns, open_store
from spinscreen.workflows import Campaign, run_campaign
from spinscreen.workflows.batch import driver_script, worker_script
from spinscreen.workflows.configuration import (
    Calculation,
    CampaignFile,
    Cluster,
    campaign_settings,
    read_campaign_file,
    template,
)

BATCH = {"queue": "long", "account": "p123", "cores": 4, "memory": "16 GiB", "walltime": "02:00:00"}


def test_the_template_explains_every_setting_and_holds_the_defaults():
    text = template()
    for table in (Calculation, Cluster):
        for name, field in table.model_fields.items():
            assert f"# {name} = " in text
            assert field.description
            assert field.description in text
    assert campaign_settings(tomllib.loads(text), (), "template") == CampaignFile(source="library")


def test_every_example_of_the_template_is_valid():
    """With all comments taken away but those that exclude each other."""
    lines = []
    for line in template().splitlines():
        bare = line.removeprefix("# ")
        setting = " = " in bare and not line.startswith("# A ")
        excluded = bare.startswith(("address", "electrons", "tolerance", "budget"))
        lines.append(bare if setting and not excluded else line)
    found = campaign_settings(tomllib.loads("\n".join(lines)), (), "template")
    assert found.calculation.kmesh == 48
    assert found.cluster.queue == "normal"


def test_init_writes_it_once_and_never_over_another(tmp_path):
    shown = spinscreen("init", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert (tmp_path / "campaign.toml").read_text() == template()
    again = spinscreen("init", cwd=tmp_path)
    assert again.returncode == 2
    assert "campaign.toml: is there already" in again.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('sorce = "x"', "'sorce' is not a setting; did you mean 'source'"),
        (
            "source = 'x'\n[calculation]\nkmsh = 4",
            "'calculation.kmsh' is not a setting; did you mean 'kmesh'",
        ),
        ("source = 'x'\n[calculation]\nzzzzzz = 4", "is not a setting; known: kmesh, kshift"),
        ("source = 'x'\n[calculation]\nkmesh = -4", "calculation.kmesh: input should be .*found -4"),
        (
            "source = 'x'\n[calculation]\ntemperature = 'hot'",
            "calculation.temperature: .*K; .* found 'hot'",
        ),
        (
            "source = 'x'\n[calculation]\npairing = 'q'",
            "calculation.pairing: expected one of s, .* found 'q'",
        ),
        ("source = 'x'\n[calculation]\nmemory_budget = 'lots'", "memory_budget: expected a size .*'lots'"),
        ("source = 'x'\n[cluster]\nkind = 'sge'", "cluster.kind: .* found 'sge'"),
        ("source = 'x'\n[cluster]\nwalltime = 'long'", "cluster.walltime: .*H:MM:SS.* found 'long'"),
        ("source = 'x'\n[cluster]\nkind = 'scheduler'", "cluster.address: expected an address"),
        ("source = 'x'\n[cluster]\nminimum_jobs = 20", "cluster.minimum_jobs: expected at most"),
        (
            "source = 'x'\n[cluster]\nqueue = \"a\\n#SBATCH -o x\"",
            r"cluster.queue: expected text on one line, found 'a\\n#SBATCH -o x'",
        ),
        (
            'source = \'x\'\n[cluster]\ndirectives = ["--qos=a", "b\\u0000"]',
            "cluster.directives: expected text on",
        ),
        ("source = 'x'\nstore = \"a\\nb\"", "store: expected a path on one line"),
        (
            "source = 'x'\n[cluster]\ntls_cert = 'c.pem'",
            "cluster.tls_cert: expected tls_ca_file",
        ),
        ("source = 'x'\n[cluster]\nscheduler_port = 99999", "cluster.scheduler_port: .*found 99999"),
        ("source = 'x'\n[cluster]\ndashboard_address = 'x'", "cluster.dashboard_address: .*found 'x'"),
        ("source = 'x'\n[calculation]\nmaterial_timeout = 0", "calculation.material_timeout: .*found 0"),
        (
            "source = 'x'\n[cluster]\nkind = 'slurm'\ncores = 16",
            "calculation.memory_budget: 1 GiB is more than",
        ),
        ("source = 'x'\n[cluster]\nmemory = 'lots'", "cluster.memory: expected a size .*'lots'"),
        (
            "source = 'x'\n[calculation]\nquantities = ['spin_hall']",
            "calculation.quantities: 'spin_hall' is not",
        ),
        (
            "source = 'x'\n[calculation]\nkmesh = 4\nquantities = ['drude_weight']",
            "needs a temperature above 0 K",
        ),
        ("store = 'x'", "'source' is missing, expected folder tree"),
        ("source = x", "not a TOML file .*line 1"),
    ],
)
def test_a_wrong_setting_is_named_with_the_file(tmp_path, text, message):
    file = tmp_path / "campaign.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_campaign_file(file)
    assert "campaign.toml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.toml: cannot be read \(No such file"):
        read_campaign_file(tmp_path / "none.toml")


def test_overrides_go_first_and_paths_count_from_the_file(tmp_path):
    file = tmp_path / "campaign.toml"
    file.write_text('source = "models"\n[calculation]\nkmesh = 24\n[cluster]\nwalltime = 01:30:00\n')
    changes = ["calculation.kmesh=[8, 8, 1]", "cluster.queue=long", "store=elsewhere.zarr"]
    found = read_campaign_file(file, changes)
    assert found.calculation.kmesh == (8, 8, 1)
    assert found.cluster.queue == "long"
    assert found.cluster.walltime == "01:30:00"
    assert found.source == str(tmp_path / "models")
    assert found.store == "elsewhere.zarr"
    for wrong in ("kmesh", "a.b.c=1", "=3", "source.x=1"):
        with pytest.raises(InputError, match="--set"):
            read_campaign_file(file, [wrong])


def test_a_campaign_of_python_is_validated_by_the_same_rules():
    sources = find_materials("library")[:1]
    assert Campaign(sources, kmesh=4).kmesh == 4
    with pytest.raises(InputError, match="Campaign: 'kmsh' is not a setting; did you mean 'kmesh'"):
        Campaign(sources, kmsh=4)
    with pytest.raises(InputError, match="Campaign: scan_points: input should be greater than 0"):
        Campaign(sources, scan_points=0)


def test_what_ran_is_stored_with_the_results(tmp_path):
    store = tmp_path / "results.zarr"
    (source,) = find_materials("library")[:1]
    run_campaign(Campaign([source], kmesh=6, scan_points=5), store)
    ((name, record),) = campaigns(store).items()
    assert record["settings"]["kmesh"] == 6
    assert record["settings"]["scan_points"] == 5
    (material,) = open_store(store)["materials"].children.values()
    assert material.attrs["campaign"] == name


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        (
            "slurm",
            ("#SBATCH -p long", "#SBATCH -A p123", "#SBATCH -t 02:00:00", "--cpus-per-task=4", "--mem=16G"),
        ),
        ("pbs", ("#PBS -q long", "#PBS -A p123", "#PBS -l walltime=02:00:00", "ncpus=4:mem=16GB")),
        ("lsf", ("#BSUB -q long", '#BSUB -P "p123"', "#BSUB -W 02:00", "#BSUB -n 4")),
    ],
)
def test_job_scripts_ask_for_what_the_settings_say(tmp_path, kind, lines):
    cluster = Cluster(kind=kind, **BATCH, directives=("--qos=x",), prologue=("module load python",))
    script = worker_script(cluster, tmp_path / "logs")
    for line in (
        *lines,
        "--qos=x",
        "module load python",
        "OMP_NUM_THREADS=1",
        "--nworkers 4",
        "--nthreads 1",
    ):
        assert line in script
    # Two hours less five minutes, give or take half of these.
    assert "--lifetime 6900s --lifetime-stagger 150s" in script
    driver = driver_script(cluster, ["spinscreen", "submit", "my campaign.toml"], tmp_path / "logs")
    assert "spinscreen submit 'my campaign.toml'" in driver
    assert f"cd {Path.cwd()}" in driver
    assert "24:00" in driver


def test_a_short_job_leaves_a_tenth_of_its_time(tmp_path):
    script = worker_script(Cluster(kind="slurm", walltime="00:10:00"), tmp_path / "logs")
    assert "--lifetime 540s --lifetime-stagger 30s" in script


@pytest.mark.parametrize(("kind", "line"), [("slurm", "--mem="), ("pbs", ":mem="), ("lsf", "#BSUB -M")])
def test_a_site_may_forbid_to_ask_for_memory(tmp_path, kind, line):
    logs = tmp_path / "logs"
    assert line in worker_script(Cluster(kind=kind), logs)
    quiet = Cluster(kind=kind, request_memory=False, directives=("--mem-per-cpu=4000M",))
    for script in (worker_script(quiet, logs), driver_script(quiet, ["x"], logs)):
        assert line not in script
        assert "--mem-per-cpu=4000M" in script


@pytest.mark.parametrize("kind", ["slurm", "pbs", "lsf"])
def test_paths_in_job_scripts_are_quoted(tmp_path, kind):
    logs = tmp_path / 'it\'s "my" folder; $HOME'
    cluster = Cluster(
        kind=kind, queue="a b", python="/opt/my python", tls_ca_file="a b.pem", tls_cert="c'd.pem"
    )
    for script in (worker_script(cluster, logs), driver_script(cluster, ["run", "a b"], logs)):
        headers = [line for line in script.splitlines() if line.startswith(("#SBATCH", "#PBS", "#BSUB"))]
        words = [word for line in headers for word in shlex.split(line.partition(" ")[2])]
        assert sum(word.startswith(f"{logs}/") for word in words) == 2
        assert "a b" in words
    assert not logs.exists()
    (start,) = (line for line in worker_script(cluster, logs).splitlines() if "dask_worker" in line)
    assert shlex.split(start)[0] == "/opt/my python"
    assert {"a b.pem", "c'd.pem"} <= set(shlex.split(start))
    shell = subprocess.run(["sh", "-n"], input=worker_script(cluster, logs), text=True, check=False)
    assert shell.returncode == 0


def test_a_dry_run_shows_settings_and_scripts_and_does_nothing(tmp_path, monkeypatch):
    words = ("submit", "library", "--set", "cluster.kind=pbs", "--set", "calculation.kmesh=8", "--dry-run")
    monkeypatch.setenv("DASK_CONFIG", str(tmp_path / "dask"))
    shown = spinscreen(*words, "--as-job", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert '"kmesh": 8' in shown.stdout
    assert "#PBS -N spinscreen-driver" in shown.stdout
    assert "#PBS -N spinscreen-worker" in shown.stdout
    assert "submit library --set cluster.kind=pbs --set calculation.kmesh=8" in shown.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "message"),
    [("pbs", "'qsub', which is not found here"), ("lsf", "'bsub', which is not found here")],
)
def test_an_absent_batch_system_is_one_message(tmp_path, kind, message):
    for how in ((), ("--as-job",)):
        shown = spinscreen("submit", "library", "--set", f"cluster.kind={kind}", *how, cwd=tmp_path)
        assert shown.returncode == 2
        assert message in shown.stderr
        assert "Traceback" not in shown.stderr


def test_a_job_needs_a_batch_system(tmp_path):
    shown = spinscreen("submit", "library", "--as-job", cwd=tmp_path)
    assert shown.returncode == 2
    assert "'local' has no job script" in shown.stderr
