"""Pictures come from strangers: every byte string must end as 224 x 224 RGB pixels or as a BrokenImage."""

import hashlib
import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps, PngImagePlugin
from timm.data import create_transform

from models.core.errors import BrokenImage
from models.vision import avif
from models.vision.decoding import MAX_BYTES, decode_image

RED = (220, 20, 30)
NOT_AN_IMAGE = "image is not a JPEG, PNG, WebP, GIF or AVIF"


def scene(width=320, height=200):
    """A picture whose four corners and centre differ, so that no turn or flip maps it to itself."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 2, height // 2), fill=RED)
    draw.rectangle((width // 2, 0, width, height // 2), fill=(20, 160, 60))
    draw.ellipse((width // 4, height // 3, width // 2, height), fill=(30, 40, 200))
    return image


def saved(image, format="PNG", **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def far(left, right):
    """Mean absolute difference in grey levels."""
    return np.abs(left.astype(float) - right.astype(float)).mean()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "MPO"])
def test_every_format_gives_rgb_pixels(format):
    picture = decode_image(saved(Image.new("RGB", (50, 80), RED), format))
    assert (224, 224, 3) == picture.pixels.shape
    assert np.uint8 == picture.pixels.dtype
    assert far(np.full_like(picture.pixels, RED), picture.pixels) < 3


def test_key_is_the_hash_of_the_bytes_and_alt_is_kept():
    data = saved(scene())
    picture = decode_image(data, "four corners")
    assert (hashlib.sha256(data).hexdigest(), "four corners") == (picture.key, picture.alt)


def test_pixels_are_those_of_the_networks_own_evaluation():
    """The weights were measured with timm's resize and crop; another crop costs accuracy silently."""
    image = scene()
    reference = create_transform(224, interpolation="bicubic", crop_pct=0.875, mean=(0, 0, 0), std=(1, 1, 1))
    expected = (reference(image).permute(1, 2, 0).numpy() * 255).round()
    assert far(expected, decode_image(saved(image)).pixels) < 1.0


def test_a_big_jpeg_decoded_at_a_smaller_scale_looks_the_same():
    image = scene(3200, 2400)
    expected = decode_image(saved(image, "PNG")).pixels
    assert far(expected, decode_image(saved(image, "JPEG", quality=95)).pixels) < 2.0


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_other_colour_modes(mode):
    image = Image.new("RGB", (60, 60), "white").convert(mode)
    picture = decode_image(saved(image, "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"))
    assert far(np.full_like(picture.pixels, 255), picture.pixels) < 3


def test_sixteen_bit_grey_is_scaled_not_clipped():
    half = Image.fromarray(np.full((64, 64), 0x8000, np.uint16))
    assert far(np.full((224, 224, 3), 128), decode_image(saved(half)).pixels) < 2


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_transparent_shows_white(mode):
    clear = Image.new("LA", (40, 40), (0, 0)) if mode == "LA" else Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    data = saved(clear.quantize() if mode == "PA" else clear)
    assert far(np.full((224, 224, 3), 255), decode_image(data).pixels) < 1


def test_half_transparent_red_shows_pink():
    data = saved(Image.new("RGBA", (40, 40), (255, 0, 0, 128)))
    assert far(np.full((224, 224, 3), (255, 127, 127)), decode_image(data).pixels) < 2


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_obeyed(format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    quality = {} if format == "PNG" else {"quality": 100}
    lying = saved(scene(), format, exif=exif, **quality)
    upright = saved(ImageOps.exif_transpose(Image.open(io.BytesIO(lying))), exif=Image.Exif())
    assert far(decode_image(upright).pixels, decode_image(lying).pixels) < 1.0


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_costs_no_picture():
    data = saved(scene(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x00")
    assert far(decode_image(saved(scene(), "JPEG")).pixels, decode_image(data).pixels) == 0


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF"])
def test_first_frame_of_an_animation(format):
    frames = [Image.new("RGB", (50, 50), colour) for colour in (RED, "blue", "green")]
    data = saved(frames[0], format, save_all=True, append_images=frames[1:], duration=50)
    assert far(np.full((224, 224, 3), RED), decode_image(data).pixels) < 3


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1), (3000, 2)])
def test_thin_pictures_do_not_grow_on_the_way(size):
    """Resizing a 1 x 20,000 strip's short side to 256 would make 1.3 gigapixels."""
    picture = decode_image(saved(Image.new("RGB", size, RED)))
    assert far(np.full((224, 224, 3), RED), picture.pixels) < 1


def huge_png(width, height):
    """A PNG of a few bytes whose header claims width x height."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e"


def test_too_many_pixels_are_refused_by_the_header():
    with pytest.raises(BrokenImage, match=r"image has 8000 x 6000 pixels; at most 40000000 are decoded"):
        decode_image(huge_png(8000, 6000))


@pytest.mark.parametrize("size", [(12_000, 10_000), (50_000, 50_000), (65_000, 65_000)])
def test_pillows_own_bomb_checks_are_broken_images_too(size):
    with pytest.raises(BrokenImage, match="DecompressionBomb"):
        decode_image(huge_png(*size))


def test_a_jpeg_of_very_many_scans_is_refused_undecoded():
    """Each takes 60 bytes and a pass over all pixels: 160 kB kept a thread busy for a minute and more."""
    data = saved(Image.new("L", (4000, 4000), 128), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(BrokenImage, match="scans of 4000 x 4000 pixels"):
        decode_image(data[:-2] + last * 100 + data[-2:])
    assert (224, 224, 3) == decode_image(data[:-2] + last * 10 + data[-2:]).pixels.shape


def test_a_large_progressive_photograph_is_decoded():
    """The limit must not hit what cameras and networks write: ten scans."""
    photograph = saved(Image.new("RGB", (8000, 4990), RED), "JPEG", progressive=True)
    assert 10 == photograph.count(b"\xff\xda")
    assert (224, 224, 3) == decode_image(photograph).pixels.shape


@pytest.mark.parametrize(
    ("size", "options"),
    [
        ((8064, 6048), {}),
        ((8064, 6048), {"progressive": True}),
        ((6048, 8064), {"quality": 95, "subsampling": 0, "progressive": True}),
        ((9000, 9000), {"restart_marker_blocks": 50}),
        ((12_000, 9000), {"progressive": True}),
        ((16_320, 12_240), {}),
    ],
    ids=str,
)
def test_jpegs_of_large_cameras_are_decoded_at_a_smaller_scale(size, options):
    picture = decode_image(saved(Image.new("RGB", size, RED), "JPEG", **options))
    assert far(np.full_like(picture.pixels, RED), picture.pixels) < 3


def test_a_thumbnail_is_not_a_scan_of_the_picture():
    """With the thumbnail's scan counted, this would be a picture of two scans: all coefficients in memory."""
    thumbnail = saved(Image.new("RGB", (160, 120)), "JPEG")
    exif = b"Exif\0\0" + thumbnail
    photograph = saved(Image.new("RGB", (16_320, 12_240), RED), "JPEG", subsampling=0, exif=exif)
    assert 2 == photograph.count(b"\xff\xda")
    assert (224, 224, 3) == decode_image(photograph).pixels.shape


def test_a_progressive_jpeg_that_would_fill_the_memory_is_refused_undecoded():
    data = saved(Image.new("RGB", (10_000, 8000), RED), "JPEG", subsampling=0, progressive=True)
    with pytest.raises(BrokenImage, match="of 240000000 coefficients; at most 200000000 are read"):
        decode_image(data)


def test_a_jpeg_of_more_pixels_than_any_camera_has_is_refused_undecoded():
    data = bytearray(saved(Image.new("L", (64, 64)), "JPEG"))
    header = data.index(b"\xff\xc0")
    data[header + 5 : header + 9] = struct.pack(">HH", 20_000, 20_000)
    with pytest.raises(BrokenImage, match="20000 x 20000 pixels; at most 250000000 are read of a JPEG"):
        decode_image(bytes(data))


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
def test_colour_modes_of_avif(mode):
    picture = decode_image(saved(Image.new("RGBA", (60, 60), "white").convert(mode), "AVIF"))
    assert far(np.full_like(picture.pixels, 255), picture.pixels) < 3


def test_a_large_avif_looks_like_the_same_png():
    image = scene(3200, 2400)
    expected = decode_image(saved(image, "PNG")).pixels
    assert far(expected, decode_image(saved(image, "AVIF", quality=90)).pixels) < 2.0


def sized(data, width, height):
    """An AVIF whose header claims another size than its frame has."""
    start = data.index(b"ispe") + 8
    return data[:start] + struct.pack(">II", width, height) + data[start + 8 :]


def test_too_many_pixels_of_an_avif_are_refused_by_the_header():
    with pytest.raises(BrokenImage, match=r"8000 x 6000 pixels; at most 40000000 are decoded"):
        decode_image(sized(saved(scene(), "AVIF"), 8000, 6000))


def test_an_avif_that_hides_its_size_cannot_fill_the_memory():
    """2 kB that claimed 100 x 100 pixels took 2.4 GB: the header of an AVIF does not bound its frame."""
    limit = 80 * 2**20
    honest = saved(Image.new("RGB", (100, 100), RED), "AVIF")
    hiding = sized(saved(Image.new("L", (7000, 7000)), "AVIF", speed=10), 100, 100)
    assert avif.avif_to_png(honest, 10**6, limit).startswith(b"\x89PNG")
    with pytest.raises(avif.AvifError):
        avif.avif_to_png(hiding, 10**6, limit)


@pytest.mark.parametrize(
    ("brands", "kind"),
    [
        (b"heic\0\0\0\0mif1heic", "HEIC"),
        (b"mif1\0\0\0\0mif1heix", "HEIC"),
        (b"isom\0\0\x02\0isomavc1", "a video or unknown"),
        (b"qt  \0\0\0\0qt  ", "a video or unknown"),
    ],
)
def test_others_in_the_container_of_avif_are_named(brands, kind):
    data = struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + bytes(100)
    with pytest.raises(BrokenImage, match=f"image is {kind}, not a JPEG, PNG, WebP, GIF or AVIF: convert it"):
        decode_image(data)


def with_text(**options):
    info = PngImagePlugin.PngInfo()
    for number in range(options.pop("count", 1)):
        getattr(info, options.get("kind", "add_text"))(
            f"k{number}", "x" * options["length"], zip=options["zip"]
        )
    return saved(scene(), pnginfo=info)


@pytest.mark.parametrize(
    "data",
    [
        with_text(length=5_000_000, zip=True),
        with_text(length=5_000_000, zip=False),
        with_text(length=5_000_000, zip=True, kind="add_itxt"),
        with_text(length=1_000_000, zip=True, count=80),
        saved(scene(), icc_profile=b"x" * 5_000_000),
        saved(scene())[:-12] + b"\0\0\0\x04tEXtk\0abSUMS" + saved(scene())[-12:],
        saved(scene())[:33] + b"\0\0\0\x04tEXtk\0abSUMS" + saved(scene())[33:],
    ],
    ids=["zTXt", "tEXt", "iTXt", "many", "profile", "damaged behind", "damaged before"],
)
def test_text_and_profiles_cost_no_png(data):
    assert 0 == far(decode_image(saved(scene())).pixels, decode_image(data).pixels)


def test_text_does_not_lift_the_limit_of_pixels():
    header = huge_png(8000, 6000)
    text = with_text(length=5_000_000, zip=True)
    start = text.index(b"zTXt") - 4
    with pytest.raises(BrokenImage, match=r"8000 x 6000 pixels; at most 40000000"):
        decode_image(header[:33] + text[start:])


def test_sixteen_bits_a_channel():
    """8 bits are kept of a PNG's 16; written by hand, since Pillow writes none."""
    rows = (b"\0" + struct.pack(">3H", 0xDC00, 0x1400, 0x1E00) * 40) * 40
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 40, 40, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    assert far(np.full((224, 224, 3), RED), decode_image(data).pixels) < 1


def test_a_picture_that_unpacks_to_a_thousand_times_its_size_is_decoded_within_bounds():
    """Below the cap of pixels a solid picture is as good as any: its memory is what the cap says."""
    for format in ("PNG", "GIF", "WEBP"):
        data = saved(Image.new("L", (6000, 6000), 200), format)
        assert len(data) < 6000 * 6000 / 300
        assert far(np.full((224, 224, 3), 200), decode_image(data).pixels) < 3


@pytest.mark.parametrize("head", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP", b""])
@pytest.mark.parametrize(
    "text", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html><body>gone</body></html>"]
)
def test_text_that_poses_as_a_picture_is_broken(head, text):
    with pytest.raises(BrokenImage):
        decode_image(head + text)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "image is empty"),
        (b"<html>404</html>", NOT_AN_IMAGE),
        (bytes(MAX_BYTES + 1), f"image has {MAX_BYTES + 1} bytes; at most {MAX_BYTES} are accepted"),
        (saved(scene(), "BMP"), NOT_AN_IMAGE),
        (saved(scene(), "TIFF"), NOT_AN_IMAGE),
    ],
)
def test_reasons(data, reason):
    with pytest.raises(BrokenImage) as caught:
        decode_image(data)
    assert reason == str(caught.value)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_a_truncated_file_is_broken_in_one_line(format):
    data = saved(scene(), format)
    with pytest.raises(BrokenImage) as caught:
        decode_image(data[: len(data) // 2])
    assert 1 == len(str(caught.value).splitlines())


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "GIF"]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(0, 10_000),
)
def test_damaged_bytes_raise_nothing_but_broken_image(format, changes, cut):
    data = bytearray(saved(scene(64, 48), format))
    for position, value in changes:
        data[position % len(data)] = value
    try:
        picture = decode_image(bytes(data[: max(1, len(data) - cut % 50)]))
    except BrokenImage:
        return
    assert (224, 224, 3) == picture.pixels.shape


def test_decoding_needs_no_torch():
    """Fetching and decoding may run where no model is loaded."""
    code = "import sys, models.vision.decoding; sys.exit('torch' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
