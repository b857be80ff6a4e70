"""What the seven subjects wear, and what their heads look like: plain data, no geometry.

An outfit belongs to nobody: `--outfit S5` puts S5's clothes on any body. Skin, hair and eyes stay the body's.
Lengths along limbs are in limb units so that clothes fit every body. Colours are sRGB hex codes.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Outfit:
    """Cut and colours of a top, trousers or a skirt, and shoes.

    sleeve: end along the arm (1 elbow, 2 wrist). cuff: end of the trouser leg, 0 knee, -1 ankle, 1 hip.
    skirt: hem above the knee as a share of the thigh, or None for trousers. Other lengths are metres.
    """

    sleeve: float
    top: tuple[str, ...]
    bottom: tuple[str, ...]
    shoe: str
    cuff: float = -0.9
    skirt: float | None = None
    top_pattern: str = "solid"
    bottom_pattern: str = "solid"
    stripe: float = 0.06
    collar_up: float = 0.005
    v_neck: float = 0.0
    hem: float = -0.06
    trim: float = 0.6
    loose: float = 0.010
    top_loose: float = 0.004
    sleeve_loose: float = 0.008
    sole: str = "d8d8d0"
    lace: str = "e8e8e8"
    sock: float = 0.012
    sock_colour: str = "e0e0e0"
    shoe_height: float = 0.03
    belt: str = "1a1410"


@dataclass(frozen=True)
class Head:
    """Skin, hair and eyes. thickness, roughness, front and low are metres; brow and beard are in [0, 1]."""

    skin: str
    hair: str
    iris: str
    style: str = "short"
    thickness: float = 0.012
    roughness: float = 0.0015
    front: float = 0.0
    low: float = -0.055
    brow: float = 0.8
    beard: float = 0.0


OUTFITS = {
    "S1": Outfit(
        sleeve=0.62,
        top=("a8242c", "f2f0e8", "1c2a4a"),
        top_pattern="logo",
        bottom=("2c4470",),
        bottom_pattern="denim",
        cuff=-0.88,
        shoe="e6e6e2",
        sole="f4f4f0",
        loose=0.012,
    ),
    "S5": Outfit(
        sleeve=1.72,
        top=("e8d9a0", "2d6b58"),
        top_pattern="stripes",
        stripe=0.085,
        collar_up=-0.01,
        hem=-0.03,
        top_loose=0.004,
        sleeve_loose=0.003,
        bottom=("1d1d22",),
        cuff=-0.97,
        loose=0.002,
        shoe="7a2030",
        sole="22201f",
    ),
    "S6": Outfit(
        sleeve=0.5,
        top=("e7a21d", "5a1e5c"),
        top_pattern="band",
        collar_up=-0.02,
        bottom=("37205c", "e7a21d"),
        bottom_pattern="hoops",
        skirt=0.12,
        shoe="f0ece4",
    ),
    "S7": Outfit(
        sleeve=1.85,
        top=("47603f", "e4e2da"),
        top_pattern="jacket",
        top_loose=0.012,
        bottom=("8c7a5c",),
        loose=0.016,
        shoe="3a2a1c",
        sole="1a1512",
    ),
    "S8": Outfit(
        sleeve=0.55,
        top=("f0f0ee", "1f4fa8"),
        top_pattern="raglan",
        bottom=("23262c", "e8e8e8"),
        bottom_pattern="side",
        cuff=0.12,
        loose=0.02,
        shoe="2060c0",
        sole="f0f0f0",
        sock=0.0,
        shoe_height=0.02,
    ),
    "S9": Outfit(
        sleeve=1.75,
        top=("24507a", "d8d4c8", "7a1f2c"),
        top_pattern="plaid",
        bottom=("4d5a3a", "7d7a55"),
        bottom_pattern="camo",
        loose=0.014,
        shoe="5a4630",
        sole="d0c8b8",
    ),
    "S11": Outfit(
        sleeve=0.3,
        top=("f4f4f2", "111111"),
        collar_up=-0.03,
        v_neck=0.08,
        trim=0.85,
        top_loose=0.002,
        bottom=("b8bcc4",),
        cuff=-0.55,
        shoe="202020",
        sole="eeeeee",
    ),
}

HEADS = {
    "S1": Head(skin="d9a98a", hair="3a2618", iris="3a5a78"),
    "S5": Head(skin="e6bd9c", hair="15100e", iris="2a1a10", style="long", thickness=0.009, brow=0.6),
    "S6": Head(skin="6f4630", hair="120c0a", iris="20120a", thickness=0.028, roughness=0.006, brow=0.6),
    "S7": Head(skin="e0b096", hair="7d7468", iris="4a6a50", thickness=0.006, front=0.02, beard=0.75),
    "S8": Head(skin="54352a", hair="0d0a09", iris="1a100a", thickness=0.004, beard=0.5),
    "S9": Head(skin="ecc4ac", hair="b5863c", iris="5a7a9a", thickness=0.018, roughness=0.004),
    "S11": Head(skin="c98d68", hair="6b2e18", iris="3a4a28", style="bob"),
}
