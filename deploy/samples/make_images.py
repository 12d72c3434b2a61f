"""Draws the pictures of the sample posts into images/: `python deploy/samples/make_images.py`.

Drawn for this project, so that the samples need nobody's photographs. Each painter works on a canvas of
1024 x 1024 pixels that is shrunk to 256, which smooths the edges. The files differ on purpose in what a
decoder must cope with: JPEG, PNG with transparency, PNG with a palette, WebP, an animated GIF, a JPEG lying
on its side, and one that was cut off half way.
"""

import functools
import io
import math
import random
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIDE = 1024
FOLDER = Path(__file__).with_name("images")
Painter = Callable[[ImageDraw.ImageDraw], None]


def sky(draw: ImageDraw.ImageDraw, top: tuple[int, int, int], bottom: tuple[int, int, int]) -> None:
    """Fill the canvas with a gradient from top to bottom."""
    for y in range(SIDE):
        share = y / SIDE
        colour = tuple(round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True))
        draw.line((0, y, SIDE, y), fill=colour)


def rink(draw: ImageDraw.ImageDraw) -> None:
    """Ice with its lines, a player in blue, a stick and a puck."""
    draw.rectangle((0, 0, SIDE, SIDE), fill="#e8f3fa")
    draw.rectangle((0, 0, SIDE, 230), fill="#27313f")
    crowd = random.Random(1)
    for _ in range(260):
        x, y = crowd.randrange(SIDE), crowd.randrange(190)
        draw.ellipse(
            (x, y, x + 26, y + 26), fill=crowd.choice(["#d9a066", "#f2d6b3", "#8f563b", "#3f5fbf", "white"])
        )
    draw.rectangle((0, 215, SIDE, 250), fill="#f4d03f")
    draw.rectangle((150, 250, 178, SIDE), fill="#1f4fbf")
    draw.rectangle((846, 250, 874, SIDE), fill="#c0392b")
    draw.ellipse((290, 760, 760, 960), outline="#c0392b", width=12)
    draw.line((560, 560, 760, 900), fill="#8a5a2b", width=22)
    draw.line((750, 895, 850, 905), fill="#2c2c2c", width=26)
    draw.polygon([(410, 430), (620, 430), (650, 650), (380, 650)], fill="#0b3d91")
    draw.rectangle((385, 585, 645, 620), fill="white")
    draw.polygon([(400, 650), (500, 650), (450, 860), (360, 860)], fill="#123c7a")
    draw.polygon([(530, 650), (640, 650), (670, 850), (580, 850)], fill="#123c7a")
    draw.ellipse((440, 300, 590, 450), fill="#f2d6b3")
    draw.pieslice((430, 280, 600, 450), 180, 360, fill="#0b3d91")
    draw.line((340, 880, 470, 880), fill="#555", width=16)
    draw.line((570, 870, 700, 870), fill="#555", width=16)
    draw.ellipse((870, 905, 930, 935), fill="#111")


def towers(draw: ImageDraw.ImageDraw) -> None:
    """A skyline at dusk with a needle-shaped tower, over water."""
    sky(draw, (60, 40, 110), (255, 170, 110))
    draw.ellipse((650, 480, 830, 660), fill="#ffe9b0")
    lights = random.Random(2)
    for x, width, height in (
        (20, 120, 330),
        (150, 90, 450),
        (250, 130, 280),
        (560, 110, 420),
        (690, 140, 310),
        (840, 150, 480),
    ):
        draw.rectangle((x, 800 - height, x + width, 800), fill="#241c3d")
        for wx in range(x + 14, x + width - 20, 30):
            for wy in range(820 - height, 770, 42):
                if lights.random() < 0.6:
                    draw.rectangle((wx, wy, wx + 14, wy + 20), fill="#ffd76b")
    draw.polygon([(455, 800), (475, 300), (495, 300), (515, 800)], fill="#1b1530")
    draw.ellipse((425, 270, 545, 340), fill="#2c2347")
    draw.rectangle((478, 90, 492, 280), fill="#1b1530")
    draw.rectangle((0, 800, SIDE, SIDE), fill="#3a3068")
    for y in range(820, SIDE, 34):
        draw.line((lights.randrange(500), y, 500 + lights.randrange(500), y), fill="#f2a679", width=5)


def obelisk(draw: ImageDraw.ImageDraw) -> None:
    """A white obelisk on a lawn, mirrored in a pool, under cherry blossom."""
    sky(draw, (120, 180, 240), (225, 240, 250))
    draw.rectangle((0, 690, SIDE, SIDE), fill="#6fae5a")
    draw.polygon([(455, 690), (475, 190), (512, 130), (549, 190), (569, 690)], fill="#f4f1e8")
    draw.polygon([(512, 130), (549, 190), (569, 690), (512, 690)], fill="#d9d3c2")
    draw.polygon([(380, 760), (644, 760), (760, SIDE), (264, SIDE)], fill="#9cc6e6")
    draw.polygon([(485, 770), (539, 770), (525, 960), (499, 960)], fill="#e6ecf0")
    blossom = random.Random(3)
    for _ in range(300):
        x, y = (
            blossom.choice([blossom.randrange(-20, 300), blossom.randrange(730, SIDE)]),
            blossom.randrange(0, 330),
        )
        size = blossom.randrange(18, 44)
        draw.ellipse((x, y, x + size, y + size), fill=blossom.choice(["#f8c8dc", "#f5a9c6", "#fde4ee"]))


def iron_tower(draw: ImageDraw.ImageDraw) -> None:
    """An iron lattice tower at night."""
    sky(draw, (10, 16, 50), (60, 60, 120))
    stars = random.Random(4)
    for _ in range(70):
        x, y = stars.randrange(SIDE), stars.randrange(600)
        draw.ellipse((x, y, x + 7, y + 7), fill="#fff7d6")
    gold = "#f0b64a"
    draw.polygon([(490, 120), (534, 120), (575, 520), (449, 520)], outline=gold, width=14)
    draw.polygon(
        [(449, 520), (575, 520), (720, 880), (600, 880), (512, 700), (424, 880), (304, 880)],
        outline=gold,
        width=16,
    )
    draw.line((512, 60, 512, 130), fill=gold, width=10)
    for step in range(10):
        y = 150 + step * 38
        half = 24 + step * 4.4
        draw.line((512 - half, y, 512 + half, y + 34), fill=gold, width=6)
        draw.line((512 + half, y, 512 - half, y + 34), fill=gold, width=6)
    draw.rectangle((420, 510, 604, 535), fill=gold)
    draw.rectangle((0, 880, SIDE, SIDE), fill="#0d1228")


def coffee(draw: ImageDraw.ImageDraw) -> None:
    """A cup of coffee with a heart of foam on a wooden table, from above."""
    draw.rectangle((0, 0, SIDE, SIDE), fill="#a9713f")
    for y in range(0, SIDE, 128):
        draw.line((0, y, SIDE, y + 14), fill="#8d5a2e", width=9)
    draw.ellipse((130, 130, 894, 894), fill="#efece6")
    draw.ellipse((160, 160, 864, 864), outline="#d8d3c8", width=12)
    draw.rounded_rectangle((700, 455, 960, 565), 55, fill="#fbfaf7")
    draw.ellipse((250, 250, 774, 774), fill="#fdfcfa")
    draw.ellipse((285, 285, 739, 739), fill="#6b3e1d")
    draw.ellipse((310, 310, 714, 714), fill="#8d5529")
    draw.ellipse((400, 400, 525, 525), fill="#f3dfc0")
    draw.ellipse((499, 400, 624, 525), fill="#f3dfc0")
    draw.polygon([(408, 490), (616, 490), (512, 640)], fill="#f3dfc0")


def dog(draw: ImageDraw.ImageDraw) -> None:
    """A brown dog's face on a meadow."""
    sky(draw, (150, 205, 250), (210, 235, 190))
    draw.ellipse((-200, 720, 1224, 1400), fill="#76b357")
    draw.ellipse((250, 180, 774, 820), fill="#c68642")
    draw.ellipse((150, 200, 370, 640), fill="#8d5524")
    draw.ellipse((654, 200, 874, 640), fill="#8d5524")
    draw.ellipse((360, 470, 664, 820), fill="#f1d9b5")
    for x in (390, 570):
        draw.ellipse((x, 360, x + 80, 450), fill="white")
        draw.ellipse((x + 18, 375, x + 68, 435), fill="#2b1a0d")
        draw.ellipse((x + 40, 382, x + 54, 396), fill="white")
    draw.ellipse((440, 520, 584, 620), fill="#20140c")
    draw.arc((420, 570, 512, 700), 0, 140, fill="#20140c", width=12)
    draw.arc((512, 570, 604, 700), 40, 180, fill="#20140c", width=12)
    draw.ellipse((470, 690, 560, 800), fill="#e8707a")


def fruit(draw: ImageDraw.ImageDraw) -> None:
    """A red apple; what is around it stays transparent."""
    draw.ellipse((170, 280, 570, 900), fill="#c8281e")
    draw.ellipse((450, 280, 850, 900), fill="#c8281e")
    draw.ellipse((240, 380, 330, 560), fill="#ee7a6a")
    draw.line((512, 330, 560, 150), fill="#5b3a1e", width=34)
    draw.polygon([(560, 230), (690, 110), (830, 130), (720, 240)], fill="#4f9d3a")


def telephone(draw: ImageDraw.ImageDraw) -> None:
    """A smartphone with a grid of coloured icons."""
    draw.rectangle((0, 0, SIDE, SIDE), fill="#dfe6ee")
    draw.rounded_rectangle((300, 80, 724, 944), 70, fill="#1c1f26")
    draw.rounded_rectangle((325, 120, 699, 904), 44, fill="#3f6fd8")
    colours = ["#f25f5c", "#ffe066", "#70c1b3", "#ffffff", "#f7a072", "#b39cd0"]
    for row in range(5):
        for column in range(3):
            x, y = 360 + column * 110, 190 + row * 125
            draw.rounded_rectangle((x, y, x + 84, y + 84), 20, fill=colours[(row * 2 + column) % 6])
    draw.rounded_rectangle((440, 140, 584, 164), 12, fill="#1c1f26")


def river(draw: ImageDraw.ImageDraw) -> None:
    """A brown river winding through a rainforest, from the air."""
    draw.rectangle((0, 0, SIDE, SIDE), fill="#1f6b2f")
    trees = random.Random(5)
    for _ in range(900):
        x, y, size = trees.randrange(-30, SIDE), trees.randrange(-30, SIDE), trees.randrange(30, 80)
        draw.ellipse(
            (x, y, x + size, y + size), fill=trees.choice(["#2a8c3f", "#237a36", "#3aa04f", "#175523"])
        )
    course = [(512 + 260 * math.sin(y / 150), y) for y in range(-60, SIDE + 60, 8)]
    draw.line(course, fill="#8c6d46", width=170, joint="curve")
    draw.line(course, fill="#a98759", width=110, joint="curve")


def hoop(draw: ImageDraw.ImageDraw) -> None:
    """A basketball on its way into the hoop."""
    sky(draw, (40, 40, 60), (110, 70, 60))
    draw.rectangle((520, 120, 960, 470), fill="#f5f5f5")
    draw.rectangle((650, 250, 830, 400), outline="#d35400", width=14)
    for x in range(600, 900, 50):
        draw.line((x, 455, 740 + (x - 740) * 0.6, 700), fill="#eeeeee", width=8)
    draw.ellipse((590, 425, 890, 485), outline="#e8590c", width=22)
    draw.ellipse((170, 180, 500, 510), fill="#e67e22")
    draw.arc((170, 180, 500, 510), 0, 360, fill="#3b1f0b", width=10)
    draw.line((335, 180, 335, 510), fill="#3b1f0b", width=10)
    draw.line((170, 345, 500, 345), fill="#3b1f0b", width=10)
    draw.arc((40, 180, 290, 510), 300, 60, fill="#3b1f0b", width=10)
    draw.arc((380, 180, 630, 510), 120, 240, fill="#3b1f0b", width=10)


def stage(draw: ImageDraw.ImageDraw) -> None:
    """A singer in coloured spotlights before a crowd."""
    draw.rectangle((0, 0, SIDE, SIDE), fill="#120a24")
    for x, colour in ((90, "#5b2a86"), (330, "#a3286f"), (560, "#1f6f9e"), (830, "#7a3fb0")):
        draw.polygon([(x, 0), (x + 80, 0), (x + 260, 760), (x - 220, 760)], fill=colour)
    draw.rectangle((0, 740, SIDE, 800), fill="#2d2145")
    draw.ellipse((462, 300, 562, 400), fill="#f2c9a0")
    draw.polygon([(440, 410), (584, 410), (620, 740), (404, 740)], fill="#f7d038")
    draw.line((590, 430, 640, 350), fill="#f2c9a0", width=34)
    draw.line((640, 250, 640, 740), fill="#cccccc", width=12)
    draw.ellipse((615, 215, 665, 275), fill="#444444")
    hands = random.Random(6)
    for x in range(-20, SIDE, 74):
        y = 850 + hands.randrange(60)
        draw.ellipse((x, y, x + 92, y + 92), fill="#07040f")
        draw.rectangle((x, y + 50, x + 92, SIDE), fill="#07040f")
        if hands.random() < 0.5:
            draw.line((x + 70, y + 60, x + 96, y - 60), fill="#07040f", width=22)


def mountain(draw: ImageDraw.ImageDraw) -> None:
    """A snow-capped volcano behind a lake, and a red sun."""
    sky(draw, (250, 225, 215), (240, 240, 240))
    draw.ellipse((640, 120, 820, 300), fill="#d0342c")
    draw.polygon([(80, 720), (430, 270), (560, 270), (940, 720)], fill="#5d7aa8")
    draw.polygon(
        [(355, 365), (430, 270), (560, 270), (640, 365), (570, 345), (520, 400), (470, 345), (420, 395)],
        fill="white",
    )
    draw.rectangle((0, 720, SIDE, SIDE), fill="#8fb6d9")
    for y in range(750, SIDE, 46):
        draw.line((120, y, 900, y), fill="#b6d1e8", width=8)


def cat(draw: ImageDraw.ImageDraw) -> None:
    """A grumpy cat with the two lines of a meme."""
    draw.rectangle((0, 0, SIDE, SIDE), fill="#7fb3a8")
    draw.polygon([(280, 420), (310, 190), (450, 320)], fill="#7a7f8c")
    draw.polygon([(744, 420), (714, 190), (574, 320)], fill="#7a7f8c")
    draw.ellipse((240, 270, 784, 800), fill="#8d93a1")
    for x in (350, 560):
        draw.ellipse((x, 450, x + 115, 550), fill="#f4e04d")
        draw.ellipse((x + 42, 460, x + 72, 540), fill="#1a1a1a")
        draw.rectangle((x - 5, 430, x + 120, 480), fill="#8d93a1")
    draw.polygon([(482, 590), (542, 590), (512, 630)], fill="#e58e9a")
    draw.arc((400, 640, 512, 760), 200, 330, fill="#333", width=10)
    draw.arc((512, 640, 624, 760), 210, 340, fill="#333", width=10)
    font = ImageFont.load_default(130)
    for y, line in ((70, "MONDAY"), (945, "AGAIN?!")):
        draw.text((512, y), line, font=font, anchor="mm", fill="white", stroke_width=9, stroke_fill="black")


def pitch(draw: ImageDraw.ImageDraw) -> None:
    """A football pitch from the stands."""
    for band in range(8):
        draw.rectangle((0, band * 128, SIDE, band * 128 + 128), fill=("#3f9b46", "#4aad52")[band % 2])
    draw.rectangle((70, 70, 954, 954), outline="white", width=10)
    draw.line((70, 512, 954, 512), fill="white", width=10)
    draw.ellipse((382, 382, 642, 642), outline="white", width=10)
    draw.rectangle((300, 70, 724, 260), outline="white", width=10)
    draw.rectangle((300, 764, 724, 954), outline="white", width=10)
    players = random.Random(7)
    for number in range(20):
        x, y = players.randrange(110, 900), players.randrange(110, 900)
        draw.ellipse(
            (x, y, x + 40, y + 40), fill=("#d62828", "#f6f6f6")[number % 2], outline="#222222", width=4
        )
    draw.ellipse((530, 470, 556, 496), fill="white", outline="black", width=4)


def lighthouse(draw: ImageDraw.ImageDraw) -> None:
    """A striped lighthouse over the sea."""
    sky(draw, (90, 160, 220), (240, 230, 200))
    draw.rectangle((0, 760, SIDE, SIDE), fill="#2f6f9f")
    draw.polygon([(300, 800), (420, 700), (640, 700), (760, 800)], fill="#6b5b4b")
    for number in range(5):
        y, half = 700 - number * 90, 100 - number * 11
        draw.polygon(
            [(520 - half, y), (520 + half, y), (520 + half - 11, y - 90), (520 - half + 11, y - 90)],
            fill=("#d62828", "#fafafa")[number % 2],
        )
    draw.rectangle((470, 175, 570, 250), fill="#ffe066")
    draw.polygon([(455, 175), (585, 175), (520, 110)], fill="#3a3a3a")


def balloons(draw: ImageDraw.ImageDraw, height: int = 0) -> None:
    """Three balloons, `height` higher than at first."""
    sky(draw, (190, 225, 250), (245, 250, 255))
    for x, y, colour in ((170, 300, "#e63946"), (420, 180, "#457b9d"), (660, 330, "#f4a261")):
        draw.line((x + 100, y + 240 - height, x + 110, SIDE), fill="#666666", width=6)
        draw.ellipse((x, y - height, x + 200, y + 250 - height), fill=colour)
        draw.ellipse((x + 45, y + 40 - height, x + 85, y + 100 - height), fill="#ffffff")


def drawn(painter: Painter, mode: str = "RGB") -> Image.Image:
    """What `painter` paints, 256 x 256."""
    canvas = Image.new(mode, (SIDE, SIDE))
    painter(ImageDraw.Draw(canvas))
    return canvas.resize((256, 256), Image.Resampling.LANCZOS)


def main() -> None:
    """Write every picture."""
    FOLDER.mkdir(exist_ok=True)
    named = {"skyline": towers, "tower": iron_tower}
    named |= {painter.__name__: painter for painter in (rink, obelisk, coffee, dog, river, hoop, stage)}
    for name, painter in named.items():
        drawn(painter).save(FOLDER / f"{name}.jpg", quality=80, optimize=True)
    drawn(fruit, "RGBA").quantize(64).save(FOLDER / "apple.png", optimize=True)
    drawn(telephone).save(FOLDER / "phone.png", optimize=True)
    drawn(mountain).quantize(48).save(FOLDER / "volcano.png", optimize=True)
    drawn(cat).save(FOLDER / "meme.webp", quality=75)
    drawn(pitch).save(FOLDER / "pitch.webp", quality=70)
    rising = [drawn(functools.partial(balloons, height=height)).quantize(24) for height in (0, 60, 120)]
    rising[0].save(FOLDER / "balloons.gif", save_all=True, append_images=rising[1:], duration=300, loop=0)
    sideways = Image.Exif()
    sideways[0x0112] = 6  # "turn me clockwise", as telephones write it
    lying = drawn(lighthouse).transpose(Image.Transpose.ROTATE_90)
    lying.save(FOLDER / "lighthouse.jpg", quality=80, exif=sideways)
    whole = io.BytesIO()
    drawn(towers).save(whole, "JPEG", quality=80)
    (FOLDER / "broken.jpg").write_bytes(whole.getvalue()[:4000])


if __name__ == "__main__":
    main()
