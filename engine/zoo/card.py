"""The model card of a zoo network: what it is, how it came about, how good it is, what it is not."""

from pathlib import Path
from typing import Any

from dpa.models.frameworks import PAPER_NAMES
from dpa.models.training.checkpoint import WEIGHTS, read_config
from dpa.models.training.config import TrainConfig
from dpa.models.training.validation import Validation
from dpa.models.zoo.recipe import read_recipe

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
