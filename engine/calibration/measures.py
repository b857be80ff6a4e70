"""The instruments: every figure that is to say how far pose and appearance are disentangled."""

from dataclasses import dataclass

SILHOUETTE, ENTANGLED, ORACLE = "silhouette", "entangled", "oracle-swap"
"""The known cases: appearance cannot reach the pose; nothing keeps the codes apart; as disentangled as
supervision can make it. The first two are the ends of every scale."""

REFERENCES = (SILHOUETTE, ENTANGLED, ORACLE)

ATTACK = "attack"


@dataclass(frozen=True)
class Measure:
    """key: in the results of its stage, which is ATTACK or an analysis. rises: whether more of it means more
    entangled codes. resolution: the smallest difference between the two ends that counts, in the measure's
    own unit (the project's choice: several times what other seeds and samples change). factor, digits: how it
    is printed."""

    key: str
    title: str
    stage: str
    resolution: float
    rises: bool = True
    factor: float = 1.0
    digits: int = 1

    def text(self, value: float | None) -> str:
        """As tables show it; a dash where there is no figure."""
        return "–" if value is None else f"{self.factor * value:.{self.digits}f}"


def _share(key: str, title: str, stage: str, rises: bool = True) -> Measure:
    return Measure(key, f"{title} (%)", stage, 0.1, rises, 100.0, 0)


MEASURES = (
    _share("success_rate", "attack: success", ATTACK),
    Measure("mpjpe_final_mm", "attack: final error (mm)", ATTACK, 20.0),
    Measure("swap_pose_shift_mm", "swap: pose moved (mm)", "swap", 10.0),
    _share("swap_colours_moved", "swap: colours moved", "swap", rises=False),
    _share("zero_subject_variance_left", "zero: subjects' variance left", "zero"),
    _share("knn_action_from_appearance", "k-NN: action from appearance code", "tsne"),
    _share("knn_subject_from_pose", "k-NN: subject from pose code", "tsne"),
    _share("channels_appearance_share", "channels: those that hold appearance", "channels"),
    Measure("dc", "DC(A, P)", "dc", 0.05, digits=3),
    Measure("dcor", "dCor(A, P), bias corrected", "dc", 0.05, digits=3),
    Measure("iob_pose", "IOB(I, P)", "iob", 0.1, digits=2),
    Measure("counterfactual_pose_shift_mm", "true change of outfit: pose moved (mm)", "counterfactual", 10.0),
    _share("pose_code_variance_outfit", "true change of outfit: pose code's variance", "counterfactual"),
)

USUAL_STAGES = tuple(
    stage for stage in dict.fromkeys(measure.stage for measure in MEASURES) if stage != "iob"
)
"""Those that are taken unless more are asked for: iob trains decoders and takes longer than all of them."""
