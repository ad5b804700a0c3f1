"""Training that is killed again and again ends as training that is left alone: bit for bit.

    python tests/resume.py --kills 20       # both optimizers, a backup every epoch and every 7 batches

A child process trains with dropout, shuffling, callbacks of the learning rate, early stopping, a CSV log and a backup.
The parent kills it with SIGKILL at random moments and starts it again until it ends, then compares the final weights,
the History and the CSV file with those of a run that nobody has killed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

OPTIMIZERS = ("adam", "momentum")


def train(folder: Path, optimizer: str, save_freq: str | int) -> None:
    """Train to the end, from where the last backup stands; leave weights.npz and history.json."""
    import minitrain as mt
    from minitrain import callbacks, layers

    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 8)).astype("float32")
    y = (x[:, :1] * x[:, 1:2] + 0.5 * rng.normal(size=(800, 1))).astype("float32")
    mt.random.set_seed(1)
    dense = layers.Dense
    model = mt.Sequential(
        [mt.Input((8,)), dense(32, "relu"), layers.Dropout(0.2), layers.Dropout(0.1, seed=3), dense(1)]
    )
    changing: list[callbacks.Callback] = []
    if optimizer == "adam":
        chosen = mt.optimizers.Adam(0.01)
        changing.append(callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.99))
        changing.append(callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=2))
    else:
        rates = mt.optimizers.schedules.ExponentialDecay(0.05, decay_steps=50, decay_rate=0.9)
        chosen = mt.optimizers.SGD(rates, momentum=0.9)
    model.compile(chosen, "mse", metrics=["mae"])
    print("begins", flush=True)
    history = model.fit(
        x[:600],
        y[:600],
        validation_data=(x[600:], y[600:]),
        batch_size=16,
        epochs=25,
        verbose=0,
        callbacks=[
            *changing,
            callbacks.EarlyStopping("val_loss", patience=10, restore_best_weights=True),
            callbacks.CSVLogger(folder / "log.csv"),
            callbacks.BackupAndRestore(folder / "backup", save_freq=save_freq),
        ],
    )
    np.savez(folder / "weights.npz", *model.get_weights())
    (folder / "history.json").write_text(json.dumps({"epoch": history.epoch, "history": history.history}))


def start(folder: Path, optimizer: str, save_freq: str | int) -> subprocess.Popen[str]:
    """A child that trains, once it stands before `fit`."""
    command = [sys.executable, __file__, "--child", str(folder), "--optimizer", optimizer]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    child = subprocess.Popen(
        [*command, "--save-freq", str(save_freq)], stdout=subprocess.PIPE, text=True, env=environment
    )
    child.stdout.readline()
    return child


def ended(child: subprocess.Popen[str]) -> None:
    child.communicate()
    if child.returncode:
        raise RuntimeError(f"A child that trained ended with code {child.returncode}.")


def result_of(folder: Path) -> dict[str, bytes]:
    """What a run leaves, as bytes."""
    with np.load(folder / "weights.npz") as held:
        weights = {name: held[name].tobytes() for name in held.files}
    return weights | {name: (folder / name).read_bytes() for name in ("history.json", "log.csv")}


def differences(kills: int, optimizer: str, save_freq: str | int, seed: int = 0) -> tuple[list[str], int]:
    """What differs between a run that was killed so often and one that was not, and how often it really was killed."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as kept:
        whole, broken = Path(kept, "whole"), Path(kept, "broken")
        for each in (whole, broken):
            each.mkdir()
        child, begun = start(whole, optimizer, save_freq), time.perf_counter()
        ended(child)
        duration = time.perf_counter() - begun
        done = 0
        for _ in range(kills):
            child = start(broken, optimizer, save_freq)
            try:
                child.wait(rng.uniform(0, 0.9 * duration / kills))
                ended(child)
                break
            except subprocess.TimeoutExpired:
                child.kill()  # SIGKILL: nothing can be tidied up
                child.communicate()
                done += 1
        else:
            ended(start(broken, optimizer, save_freq))
        mine, its = result_of(whole), result_of(broken)
    return [name for name in mine if mine[name] != its.get(name)], done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--optimizer", choices=OPTIMIZERS)
    parser.add_argument("--save-freq", help="'epoch' or a number of batches")
    options = parser.parse_args()
    chosen = options.save_freq
    frequencies = ["epoch", 7] if chosen is None else [int(chosen) if chosen.isdigit() else chosen]
    if options.child is not None:
        train(options.child, options.optimizer or OPTIMIZERS[0], frequencies[0])
        return 0
    failed = False
    for optimizer in [options.optimizer] if options.optimizer else OPTIMIZERS:
        for save_freq in frequencies:
            found, done = differences(options.kills, optimizer, save_freq, options.seed)
            failed = failed or bool(found)
            said = f"differs in {', '.join(found)}" if found else "equal bit for bit"
            print(f"{optimizer}, save_freq={save_freq!r}, killed {done} times: {said}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
