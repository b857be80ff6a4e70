"""Human3.6M's vocabulary: one spelling for each action, camera numbers, and the clip known to be corrupt."""

import re
from typing import Final

ACTIONS: Final = (
    "Directions",
    "Discussion",
    "Eating",
    "Greeting",
    "Phoning",
    "Posing",
    "Purchases",
    "Sitting",
    "SittingDown",
    "Smoking",
    "Photo",
    "Waiting",
    "Walking",
    "WalkDog",
    "WalkTogether",
)
"""In the order of the data set's own numbers, which begin at 2."""

FIRST_ACTION: Final = 2

CAMERAS: Final = ("54138969", "55011271", "58860488", "60457274")
"""In the order of the data set's own numbers, which begin at 1."""

FPS: Final = 50.0

_OTHER_SPELLINGS: Final = {
    "takingphoto": "Photo",
    "walkingdog": "WalkDog",
    "walkingtogether": "WalkTogether",
    "phonecall": "Phoning",
    "phone": "Phoning",
    "purchase": "Purchases",
    "smoke": "Smoking",
}
_SPELLINGS: Final = {name.lower(): name for name in ACTIONS} | _OTHER_SPELLINGS


def action_name(given: str) -> str:
    """The one spelling of an action (TakingPhoto → Photo); a name that is not known stays as it is."""
    return _SPELLINGS.get(re.sub(r"[\s_-]", "", given).lower(), given)


def action_and_clip(given: str) -> tuple[str, str]:
    """("Photo", "1") of TakingPhoto-1, "TakingPhoto 1" or TakingPhoto_1; ("Photo", "") of Photo."""
    match = re.fullmatch(r"(.*?)[\s_-]*(\d*)", given)
    assert match is not None  # the pattern fits any name
    return action_name(match[1]), match[2]


def corrupt(subject: str, action: str, clip: str, camera: str) -> str | None:
    """Why a view of Human3.6M must be left out, or None.

    The film of S11's second `Directions` (in the original files the one without a number) breaks off.
    """
    if (subject, action, camera) == ("S11", "Directions", "54138969") and clip in ("", "2", "02"):
        return "known to be corrupt in Human3.6M"
    return None
