"""Put trained weights among the shipped models: `python -m spineseg_cli.cli.ship --weights runs/gm/gm.weights.h5 --name gm`."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from spineseg_cli.cli.common import SpinesegCommand
from spineseg_cli.cli.console import report
from spineseg_cli.cli.options import common_options
from spineseg_cli.tasks.registry import TASKS

HALF_HELP = (
    "A third of the size: kernels in 16 bits, the file of eight bits compressed, none of float32 (which needs TensorFlow)."
)


@click.command(name="ship", cls=SpinesegCommand)
@click.option("--weights", type=click.Path(exists=True, path_type=Path), required=True, help="Weights (.weights.h5).")
@click.option("--name", required=True, help="Name in the registry; an entry of that name is replaced.")
@click.option("--task", type=click.Choice(list(TASKS)), default="gm", show_default=True)
@click.option("--description", default="", help="One sentence for the registry. [default: as it was]")
@click.option("--half", is_flag=True, help=HALF_HELP)
@common_options
def main(weights, name, task, description, half, verbose):
    """Copy weights to models/, export them for LiteRT if possible, and add them to the registry with their checksums."""
    from spineseg_cli.core.files import atomic_path, file_sha256, write_json
    from spineseg_cli.core.inference.runtime import import_tensorflow, native_stderr_muted
    from spineseg_cli.networks import runs_on_litert
    from spineseg_cli.weights.files import metadata_of, read_model, write_half
    from spineseg_cli.weights.registry import models_folder, registry

    folder = models_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    copy, tflite, int8 = (folder / f"{name}.{ending}" for ending in ("weights.h5", "tflite", "int8.tflite"))
    trained = read_model(weights)  # before anything is replaced
    with atomic_path(copy) as temporary:
        (write_half if half else shutil.copyfile)(weights, temporary)
    model = read_model(copy)
    files = {"file": copy}
    if runs_on_litert(model.network["name"]):
        with native_stderr_muted():
            import_tensorflow()
            from spineseg_cli.networks.export import compress_tflite, write_int8_tflite, write_tflite

            write_tflite(trained.load_network(), model.config.window, tflite, model.config.depth)
        write_int8_tflite(tflite, int8)
        files |= {"int8": compress_tflite(int8)} if half else {"lite": tflite, "int8": int8}
    entry = {"task": task, "description": description or registry().get(name, {}).get("description", "")}
    for kind, file in files.items():
        entry |= {kind: f"{name}/{file.name}", "sha256" if kind == "file" else f"{kind}_sha256": file_sha256(file)}
        report(f"{file}: {file.stat().st_size / 1e6:.1f} MB", verbose)
    if not model.legacy:
        entry["metadata"] = metadata_of(model)
    write_json(models_folder() / "registry.json", registry() | {name: entry})
    for other in set(folder.glob("*.tflite*")) - set(files.values()):
        other.unlink()


if __name__ == "__main__":
    main()
