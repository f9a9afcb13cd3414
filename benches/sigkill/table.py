"""What one SIGKILL does to a map of each library: `python3 benches/sigkill/table.py [--runs 5] [--patience 20]`.

Two workers, 40 tasks of 20 ms each, and one worker is killed; each run is a program of its own. The Markdown table says what was
observed in all runs; nothing in it is written by hand. The Python libraries are installed into a venv in the target folder.
"""

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import pathlib
import platform
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
VS = HERE.parent / "vs"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", VS / "target"))


def prepare():
    """In the venv: installs what can be installed, and starts this again there."""
    folder = TARGET / "sigkill-venv"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    for line in (HERE / "requirements.txt").read_text().split():
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", line]
        if subprocess.run(install).returncode != 0:
            print(f"{line}: pip could not install it", file=sys.stderr)
    subprocess.run(["cargo", "build", "--release", "--manifest-path", VS / "Cargo.toml", "--bin", "sigkill"], check=True)
    os.execv(python, [python, "-B", __file__, *sys.argv[1:]])


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=5, help="of each experiment")
    options.add_argument("--patience", type=float, default=20, help="seconds until a map counts as one that does not end")
    options = options.parse_args()
    if sys.prefix == sys.base_prefix:
        prepare()

    from peers import PEERS

    print("Versions:", ", ".join(versions(PEERS.values())) + ".")
    for when, title in SECTIONS.items():
        print(f"\n{title}\n")
        print("| pool | call | the map ends | after | results of 40 | errors | run twice | takes work then | program ends | left |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        for name, call, command in contestants(PEERS, when):
            row(name, call, command, when, options)


SECTIONS = {
    "none": "Nobody is killed:",
    "task": "A task kills its own worker:",
    "idle": "A worker is killed from outside while the pool has nothing to do, before the map:",
    "random": "A worker is killed from outside at a random moment of the map:",
}


def contestants(peers, when):
    """Where somebody else kills, each library's last call only, which gives the most."""
    program = [str(TARGET / "release" / "sigkill")]
    everybody = {key: (peer.name, peer.package, list(peer.calls)) for key, peer in peers.items()}
    everybody["ours"] = ("**multiprocess**", None, ["map", "imap"])
    for key, (name, package, calls) in everybody.items():
        for call in calls if when in ("none", "task") else calls[-1:]:
            command = [sys.executable, "-B", str(HERE / "experiment.py"), key, call]
            known = package is None or version(package)
            yield name, call, (program + [call] if key == "ours" else command) if known else None


def row(name, call, command, when, options):
    if command is None:
        print(f"| {name} | `{call}` | not installed | | | | | | | |")
        return

    from observe import observe

    runs = 1 if when == "none" else options.runs
    seen = [observe(command, when, options.patience, run) for run in range(runs)]
    cells = [
        name,
        f"`{call}`",
        share([run.seconds is not None for run in seen]),
        reach([run.seconds for run in seen if run.seconds is not None], "{:.2f} s"),
        reach([run.results for run in seen]),
        faults(seen),
        reach([run.twice for run in seen]),
        afterwards([run.after for run in seen]),
        share([run.leaves for run in seen]),
        reach([run.left for run in seen]),
    ]
    print("|", " | ".join(cells), "|", flush=True)


def share(answers):
    if len(set(answers)) == 1:
        return "yes" if answers[0] else "**no**"
    return f"**{sum(answers)} of {len(answers)} times**"


def reach(numbers, form="{}"):
    if not numbers:
        return ""
    least, most = form.format(min(numbers)), form.format(max(numbers))
    return least if least == most else f"{least} to {most}"


def faults(seen):
    names = sorted({name for run in seen for name in run.errors})
    return ", ".join(f"{reach([run.errors[name] for run in seen])} `{name}`" for name in names)


def afterwards(answers):
    if "another" in answers:
        return f"another one, {answers.count('another')} of {len(answers)} times"
    return share([answer == "yes" for answer in answers])


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions(peers):
    metadata = ["cargo", "metadata", "--no-deps", "--format-version=1", "--manifest-path", HERE.parent.parent / "Cargo.toml"]
    packages = json.loads(subprocess.run(metadata, check=True, capture_output=True).stdout)["packages"]
    ours = next(package["version"] for package in packages if package["name"] == "multiprocess")
    return [
        f"multiprocess {ours}",
        f"CPython {platform.python_version()} (start method {multiprocessing.get_start_method()})",
        *(f"{peer.package} {version(peer.package) or 'not installed'}" for peer in peers if peer.package),
        "Linux " + ".".join(platform.release().split(".")[:2]),
    ]


if __name__ == "__main__":
    main()
