"""Which appearances are natural: how a generator's appearance codes of real frames are spread.

An attack without bounds leaves every code that a real person ever had. Here a code's place is measured in
units of the spread of real ones (Mahalanobis), so that a radius means the same in every network.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from dpa.models.atomic import write_bytes, write_json
from dpa.models.errors import InputError

if TYPE_CHECKING:
    import torch

    from dpa.engine.attack.objective import Generator
    from dpa.models.data.store import PackedStore

Array = NDArray[np.float64]

CODES, TOLD = "appearance.safetensors", "appearance.json"
QUANTILES = (0.5, 0.8, 0.95)
ENCODED_AT_ONCE = 64
"""Frames that are encoded together: bounds memory, not results."""
FEWEST_CLIPS = 4


class TooFewCodes(InputError):
    """Codes from which no distribution can be told."""

    def __init__(self, found: str) -> None:
        super().__init__(
            found=found,
            expected=f"finite codes from at least {FEWEST_CLIPS} clips that are not attacked",
            remedy="attack fewer clips of the data, or name other data of the same people",
        )


class BrokenAppearance(InputError):
    """A kept distribution that cannot be read."""

    def __init__(self, folder: Path, complaint: str) -> None:
        super().__init__(
            found=f"{folder}: {complaint}",
            expected=f"{CODES} and {TOLD} as a run keeps them",
            remedy="restore both files, or measure the distribution again",
        )


@dataclass(frozen=True, eq=False)
class AppearanceDistribution:
    """Mean and spread of n real appearance codes of size A, of any generator.

    codes: [n, A], all of them, with `clips` [n] and `persons` [n] they came from (int64 numbers; `names` has
    the persons').
    fitted: [n] bool, those from which mean and covariance were made: every code of half of the clips.
    mean: [A]; covariance: [A, A], Ledoit and Wolf's (2004), shrunk towards its mean variance by `shrinkage`
    in [0, 1]. radii: [m] of the other half, which the fit never saw: "held out by clip". radii_by_person:
    [k], each code under a fit of its own that saw nobody of that person; empty where there is one person.
    """

    codes: Array
    clips: NDArray[np.int64]
    persons: NDArray[np.int64]
    fitted: NDArray[np.bool_]
    mean: Array
    covariance: Array
    shrinkage: float
    radii: Array
    radii_by_person: Array
    names: tuple[str, ...] = ()

    @property
    def whitening(self) -> Array:
        """[A, A], symmetric: (code − mean) @ whitening has the identity as covariance. Of all whitenings
        this one turns the axes least, so an optimiser that works by coordinate keeps the code's own."""
        return _power(self.covariance, -0.5)

    @property
    def colouring(self) -> Array:
        """[A, A], the inverse of `whitening`."""
        return _power(self.covariance, 0.5)

    @property
    def farthest(self) -> float:
        """The radius of the outermost real code, fitted or held out: what lies beyond is nobody's."""
        return float(self.radius(self.codes).max())

    @property
    def participation_ratio(self) -> float:
        """(Σλ)² / Σλ² of the sample covariance of all codes: how many directions hold the variance; 1 for a
        line, A for a ball."""
        spread = np.cov(self.codes, rowvar=False).reshape(self.mean.size, -1)
        return float(np.trace(spread) ** 2 / np.square(spread).sum())

    def whitened(self, codes: Array) -> Array:
        """[n, A] → [n, A] in units of the spread of real codes, 0 at their mean."""
        return (np.asarray(codes, float) - self.mean) @ self.whitening

    def radius(self, codes: Array) -> Array:
        """Mahalanobis distance from the mean. [n, A] → [n], in units of the spread."""
        radii: Array = np.linalg.norm(self.whitened(codes), axis=1)
        return radii

    def quantile(self, share: float) -> float:
        """The radius of the ball that holds this share of the codes held out by clip."""
        return float(np.quantile(self.radii, share))

    def facts(self) -> dict[str, object]:
        """What is printed and kept: plain values for JSON."""
        by_person = {
            f"{share:g}": float(np.quantile(self.radii_by_person, share))
            for share in QUANTILES
            if self.radii_by_person.size
        }
        return {
            "codes": len(self.codes),
            "clips": len(np.unique(self.clips)),
            "persons": len(np.unique(self.persons)),
            "code_size": self.mean.size,
            "shrinkage": self.shrinkage,
            "participation_ratio": self.participation_ratio,
            "radius_by_clip": {f"{share:g}": self.quantile(share) for share in QUANTILES},
            "radius_by_person": by_person,
            "radius_farthest": self.farthest,
        }

    def save(self, folder: Path) -> None:
        """Keeps it in a folder: arrays as safetensors, facts as JSON, each whole or absent."""
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        write_bytes(folder / CODES, save(arrays | {"shrinkage": np.array(self.shrinkage)}))
        write_json(folder / TOLD, self.facts() | {"names": list(self.names)})

    @staticmethod
    def kept(folder: Path) -> bool:
        """Whether a folder holds one."""
        return (folder / TOLD).is_file()

    @classmethod
    def load(cls, folder: Path) -> "AppearanceDistribution":
        """The same numbers as were saved. Raises BrokenAppearance."""
        try:
            arrays: Mapping[str, NDArray[np.generic]] = load_file(folder / CODES)
            names = tuple(map(str, json.loads((folder / TOLD).read_text())["names"]))
            given = {name: arrays[name] for name in _ARRAYS}
            shrinkage = float(arrays["shrinkage"])
        except (OSError, ValueError, SafetensorError) as error:
            raise BrokenAppearance(folder, str(error).splitlines()[0]) from error
        except KeyError as error:
            raise BrokenAppearance(folder, f"no {error}") from error
        n, size = given["codes"].shape[0], given["mean"].size
        shapes = {"codes": (n, size), "clips": (n,), "persons": (n,), "fitted": (n,)}
        for name, shape in (shapes | {"covariance": (size, size)}).items():
            if given[name].shape != shape:
                raise BrokenAppearance(folder, f"{name} of shape {given[name].shape}, not {shape}")
        return cls(**given, shrinkage=shrinkage, names=names)  # type: ignore[arg-type]


_ARRAYS = ("codes", "clips", "persons", "fitted", "mean", "covariance", "radii", "radii_by_person")


def fit_appearance(
    codes: Array, clips: NDArray[np.generic], persons: NDArray[np.generic], seed: int = 0
) -> AppearanceDistribution:
    """The distribution of real codes [n, A]. clips, persons: [n], any labels; frames of one clip are near
    copies of each other, so whole clips are held out, and `seed` draws which half. Raises TooFewCodes."""
    _, clip = np.unique(clips, return_inverse=True)
    names, person = np.unique(persons, return_inverse=True)
    if len(codes) == 0 or (count := clip.max() + 1) < FEWEST_CLIPS:
        raise TooFewCodes(f"{len(codes)} codes from {len(np.unique(clips))} clips")
    if not np.isfinite(codes).all():
        raise TooFewCodes(f"{(~np.isfinite(codes).all(axis=1)).sum()} codes that are not finite")
    if not codes.var(axis=0).any():
        raise TooFewCodes("codes that are all the same")
    order = np.random.default_rng(seed).permutation(count)
    fitted = np.isin(clip, order[: count // 2])
    mean, covariance, shrinkage = _shrunk(codes[fitted])
    by_person = [
        _radii(codes[person == one], *_shrunk(codes[person != one])[:2])
        for one in range(person.max() + 1)
        if (person != one).sum() > 1
    ]
    return AppearanceDistribution(
        codes=codes,
        clips=clip.astype(np.int64),
        persons=person.astype(np.int64),
        fitted=fitted,
        mean=mean,
        covariance=covariance,
        shrinkage=shrinkage,
        radii=_radii(codes[~fitted], mean, covariance),
        radii_by_person=np.concatenate(by_person) if by_person else np.empty(0),
        names=tuple(map(str, names)),
    )


def measure_appearance(
    generator: "Generator",
    store: "PackedStore",
    rows: NDArray[np.int64],
    device: "torch.device",
    seed: int = 0,
) -> AppearanceDistribution:
    """The distribution of a generator's codes of the frames `rows`, as its localiser and encoder see them.
    A person is a subject of the store. Raises TooFewCodes."""
    import torch

    parts = []
    for start in range(0, len(rows), ENCODED_AT_ONCE):
        frames = store.frames_at(rows[start : start + ENCODED_AT_ONCE]).to(device)
        with torch.no_grad():
            h_a, _ = generator.encode(generator.crop(frames, generator.localise(frames)))
        parts.append(h_a.double().cpu().numpy())
    codes = np.concatenate(parts) if parts else np.empty((0, 1))
    return fit_appearance(codes, store.sequence[rows], store.subject[rows], seed)


UNBOUNDED, FARTHEST = "none", "max"


class BadBudget(InputError):
    """A budget that cannot be read."""

    def __init__(self, text: str) -> None:
        super().__init__(
            found=f"budget {text!r}",
            expected="a share of real codes between 0 and 1, max, a multiple such as 2max, or none",
            remedy="for example --budget 0.95: the ball that holds 95 % of the real codes held out",
        )


def radius_of(budget: str) -> Callable[[AppearanceDistribution], float | None]:
    """What a budget's name means: from a distribution to the ball's radius in units of its spread, None where
    nothing bounds the code. "0.95": the 95 % quantile of the codes held out by clip; "max": the outermost
    real code; "2max": twice as far; "none": no ball. Raises BadBudget."""
    if budget == UNBOUNDED:
        return lambda real: None
    if found := re.fullmatch(rf"([0-9.]*){FARTHEST}", budget):
        try:
            times = float(found[1] or 1)
        except ValueError:
            raise BadBudget(budget) from None
        if times > 0:
            return lambda real: times * real.farthest
    try:
        share = float(budget)
    except ValueError:
        raise BadBudget(budget) from None
    if not 0 < share < 1:
        raise BadBudget(budget)
    return lambda real: real.quantile(share)


def _shrunk(codes: Array) -> tuple[Array, Array, float]:
    """Mean [A], covariance [A, A] and its shrinkage."""
    from sklearn.covariance import LedoitWolf  # a second of imports

    fit = LedoitWolf().fit(codes)
    return fit.location_, fit.covariance_, float(fit.shrinkage_)


def _radii(codes: Array, mean: Array, covariance: Array) -> Array:
    radii: Array = np.linalg.norm((codes - mean) @ _power(covariance, -0.5), axis=1)
    return radii


def _power(covariance: Array, exponent: float) -> Array:
    """A symmetric positive definite matrix to a power."""
    values, vectors = np.linalg.eigh(covariance)
    powered: Array = (vectors * values**exponent) @ vectors.T
    return powered
