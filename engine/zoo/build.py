"""From a recipe to a zoo folder, step by step; a step that is done is not done again. The last one is the
model card: what the network is, how it came about, how good it is, what it is not."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from dpa.engine.attack.config import AttackRunConfig
from dpa.engine.attack.run import Networks, run_attack
from dpa.engine.evaluation_set import default_evaluation_set, recipe_key
from dpa.engine.report.attack_report import write_attack_report
from dpa.engine.runs.directory import RunDirectory
from dpa.engine.zoo.witness import known_answers, witness_card
from dpa.models.artefacts import claim
from dpa.models.atomic import write_text
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.generate import generate, generate_redressed
from dpa.models.errors import InputError
from dpa.models.frameworks import PAPER_NAMES
from dpa.models.training.checkpoint import (
    CONFIG,
    WEIGHTS,
    ZOO,
    checkpoints,
    load_network,
    read_config,
    read_network,
    save_network,
)
from dpa.models.training.config import TrainConfig
from dpa.models.training.loop import Trainer
from dpa.models.training.record import Progress
from dpa.models.training.regressor_fit import FitReport, fit_on_store
from dpa.models.training.validation import Validation, validate
from dpa.models.zoo.recipe import Recipe, read_recipe

TEMPLATE = Path(__file__).with_name("card.md")

ALONE = "no pose, box or silhouette was used"
REDRESSED = "every moment also in other clothes, the only supervision"
ONE_OUTFIT = "\n- Each person wears one outfit, so that appearance and identity cannot be told apart in it."
REFINED = (
    "\n- Refinement: {steps:,} more steps of the decoder alone, so that the frozen encoder and localiser read"
    " its pictures as they read the originals."
)
UNCHANGED = "infinite (no picture changed)"


def model_card(name: str, folder: Path, measured: Validation, attacked: dict[str, Any]) -> str:
    """The card's Markdown. measured, attacked: on the whole evaluation set."""
    config, recipe = read_config(folder), read_recipe(name)
    training: dict[str, Any] = config.training
    refinement = TrainConfig.of(training).refinement
    data, fit, changed = training["data"], training["regressor_fit"], attacked["image"]["psnr_db"]
    return TEMPLATE.read_text().format(
        name=name,
        framework=PAPER_NAMES.get(config.framework, config.framework),
        preset=config.network.preset,
        parameters=f"{(folder / WEIGHTS).stat().st_size / 1e6:.1f} MB",
        frames=data["frames"],
        subjects=", ".join(data["subjects"]),
        actions=len(data["actions"]),
        data_seed=data["seed"],
        train_frames=training["train_frames"],
        steps=training["steps"],
        batch=training["batch"],
        seed=training["seed"],
        precision=training["precision"],
        refined=REFINED.format(steps=refinement.steps) if refinement.steps else "",
        labelled=fit["labelled_frames"],
        fraction=fit["fraction"],
        teacher=REDRESSED if recipe.outfits else ALONE,
        wardrobe="" if recipe.outfits else ONE_OUTFIT,
        note=f"\n- {recipe.note}" if recipe.note else "",
        subject_count=len(data["subjects"]),
        n=len(measured.box_iou),
        **measured.summary(),
        optimiser=attacked["method"]["optimiser"],
        step_size=attacked["method"]["step_size"],
        initial=attacked["mpjpe_initial_mm"],
        final=attacked["mpjpe_final_mm"],
        threshold=attacked["min_error_mm"],
        success=attacked["success_rate"],
        p50=attacked["iterations"]["p50"],
        p90=attacked["iterations"]["p90"],
        ssim=attacked["image"]["ssim"],
        psnr_attack=UNCHANGED if changed is None else f"{changed:.2f} dB",
        mse=attacked["image"]["mse"],
    )


Report = Callable[[int, int], None]


@dataclass(frozen=True)
class BuildWatch:
    """What a build tells while it works. making: called with (images, in all) of its data; training, fitting:
    as the trainer and the regressor's fit tell; attacking: with (finished, succeeded)."""

    making: Report = lambda done, total: None
    training: Callable[[Progress], None] = lambda progress: None
    fitting: FitReport = lambda what, done, total, note: None
    attacking: Report = lambda finished, succeeded: None


CARD, PICTURE = "README.md", "attack.webp"
KIND = "a network of `zoo build`"
PARTS = {WEIGHTS, CONFIG, CARD, PICTURE}


class InsideThePackage(InputError):
    """A network was to be written among those that come with the package."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} belongs to the installed package",
            "a folder of your own",
            "name another --out; to change the bundled networks, copy what was built over them",
        )


@dataclass(frozen=True)
class Workshop:
    """Where a build keeps what it makes on the way: `work` may be deleted afterwards."""

    name: str
    recipe: Recipe
    work: Path
    device: torch.device
    watch: BuildWatch = BuildWatch()

    @property
    def run(self) -> Path:
        """The training run."""
        return self.work / self.name

    def data(self) -> PackedStore:
        """The training set, shared by recipes that ask for the same one."""
        name, outfits = f"data-{recipe_key(self.recipe.data)}", self.recipe.outfits
        path = self.work / "-".join((name, *outfits))
        if path.is_dir():
            return PackedStore.open(path)
        if outfits:
            return generate_redressed(self.recipe.data, outfits, path, self.watch.making)
        return generate(self.recipe.data, path, self.watch.making)

    def train(self, store: PackedStore) -> None:
        """Trains, or goes on from the newest checkpoint, or finds it done."""
        if (self.run / "model.safetensors").is_file():
            return
        trainer = Trainer(self.recipe.train, store, self.run, self.device)
        trainer.fit(bool(checkpoints(self.run)), self.watch.training)

    def fit(self, store: PackedStore) -> None:
        """Adds the regressor to the run."""
        network = read_network(self.run).to(self.device)
        if network.can_paint and network.regressor is None:  # a witness reads poses by itself
            fit_on_store(network, self.run, store, self.recipe.regressor, self.watch.fitting)


def build(workshop: Workshop, out: Path) -> Path:
    """Makes OUT/NAME: weights in fp16, configuration, model card and picture. Returns the folder.
    Raises InsideThePackage, NotOurs where the folder holds something else, before anything is made."""
    folder = out / workshop.name
    if folder.resolve().is_relative_to(ZOO.resolve()):
        raise InsideThePackage(folder)
    claim(folder, KIND, _holds_a_network_alone)
    store = workshop.data()
    workshop.train(store)
    workshop.fit(store)
    trained = read_network(workshop.run)
    save_network(trained, folder, read_config(workshop.run).training, half=True)
    scratch = workshop.work / f"{workshop.name}-attack"
    describe(workshop.name, folder, folder, scratch, workshop.device, workshop.watch.attacking)
    return folder


def _holds_a_network_alone(folder: Path) -> bool:
    """Whether an unmarked folder is an earlier build's: a network that can be read and its card, no more."""
    try:
        read_config(folder)
    except InputError:
        return False
    return all(path.name in PARTS for path in folder.iterdir())


def describe(
    name: str, folder: Path, into: Path, scratch: Path, device: torch.device, progress: Report | None = None
) -> None:
    """Measures and attacks the network of `folder` on the whole default evaluation set, in the run directory
    `scratch`, and writes its card and the card's picture, README.md and attack.webp, to `into`. A witness is
    not attacked: its card says what it knows. progress: of the attack, called with (finished, succeeded)."""
    network = load_network(str(folder)).to(device)
    evaluation = default_evaluation_set()
    rows = np.arange(len(evaluation))
    measured = validate(network, evaluation, rows)
    if not network.can_paint:
        config, known = read_config(folder), known_answers(network, evaluation, device)
        preset, taken = config.network.preset, int(str(config.training["train_frames"]))
        write_text(into / CARD, witness_card(name, preset, taken, measured, known))
        return
    settings = AttackRunConfig(protocol="paper", target=f"zoo:{name}", samples=len(rows))
    with RunDirectory.anew(scratch, "attack", settings.model_dump(mode="json")) as run:
        attacked: dict[str, Any] = run_attack(
            run, Networks(network, network), evaluation, rows, settings, progress=progress
        )
        write_attack_report(run, attacked, evaluation)
    _save_small(scratch / "figures/samples.png", into / PICTURE)
    write_text(into / CARD, model_card(name, folder, measured, attacked))


def _save_small(picture: Path, path: Path) -> None:
    """As WebP, an eighth of the bytes: the repository keeps every version of a card."""
    with Image.open(picture) as image:
        image.convert("RGB").save(path, quality=92, method=6)
