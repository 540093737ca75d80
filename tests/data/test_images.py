"""Decoding and resizing, against TensorFlow 2.21's recorded pixels and cases done by hand."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pg_transfer.data.images import Head, open_image, read_head, read_image
from pg_transfer.data.resizing import resize

# Outputs of tf.image.resize (cast to uint8 as big_vision does) on `made_up` images, named
# <dtype>_<from>_<to>_aa<antialias>: sizes that do not divide each other, float32, single rows.
ODD = Path(__file__).parents[1] / "golden" / "resize_odd.npz"


def made_up(height: int, width: int) -> np.ndarray:
    """Noise that is the same on every machine, uint8 [height, width, 3]."""
    counts = np.arange(height * width * 3, dtype=np.uint64)
    noise = (counts * np.uint64(2654435761) >> np.uint64(13)) % np.uint64(256)
    return noise.reshape(height, width, 3).astype(np.uint8)


@pytest.mark.golden
def test_resize_is_the_references_to_the_last_pixel(golden):
    recorded = golden("resize_golden")
    cases = [name for name in recorded if name.startswith("resize")]
    assert len(cases) >= 2
    for name in cases:
        image, size, antialias = name.removeprefix("resize").split("_")
        resized = resize(recorded[f"image{image}"], int(size), antialias=antialias == "aa1")
        assert resized.dtype == np.uint8
        assert np.count_nonzero(resized != recorded[name]) == 0, name


@pytest.mark.parametrize("name", np.load(ODD).files)
def test_resize_is_tensorflows_at_odd_sizes_and_in_float(name):
    dtype, old, new, antialias = name.split("_")
    pixels = made_up(*map(int, old.split("x")))
    if dtype == "float32":
        pixels = pixels / np.float32(255)
    height, width = map(int, new.split("x"))
    resized = resize(pixels, (height, width), antialias=antialias == "aa1")
    expected = np.load(ODD)[name]
    assert resized.dtype == expected.dtype
    assert np.count_nonzero(resized != expected) == 0


def test_resize_without_antialiasing_by_hand():
    # 4 -> 2: centres 0.5 and 1.5 lie at 0.5 * 2 - 0.5 = 0.5 and 2.5 of the old ones, half-way
    # between two; (10 + 15) / 2 = 12.5 is cut to 12, not rounded.
    row = np.array([[10, 15, 200, 250]], np.uint8)
    assert resize(row, (1, 2), antialias=False).tolist() == [[12, 225]]
    # 6 -> 2: centres at 1 and 4 exactly; the other four pixels do not count.
    row = np.array([[0, 10, 255, 255, 20, 0]], np.uint8)
    assert resize(row, (1, 2), antialias=False).tolist() == [[10, 20]]


def test_resize_with_antialiasing_by_hand():
    # 4 -> 2: a triangle of radius 2 around 1.0 (pixel centres at 0.5, 1.5, 2.5) weighs
    # 0.75, 0.75, 0.25; divided by their sum 1.75 that is 3/7, 3/7, 1/7.
    row = np.array([[7, 14, 21, 70]], np.float32)
    expected = [[3 + 6 + 3, (14 + 3 * 21 + 3 * 70) / 7]]
    np.testing.assert_allclose(resize(row, (1, 2), antialias=True), expected, rtol=1e-6)


def test_growing_needs_no_antialiasing():
    pixels = made_up(20, 31)
    grown = [resize(pixels, 64, antialias=antialias).astype(int) for antialias in (True, False)]
    assert np.abs(grown[0] - grown[1]).max() <= 1  # the two kernels round differently


@pytest.mark.parametrize("antialias", [True, False])
def test_resize_to_the_same_size_is_the_image_itself(antialias):
    pixels = made_up(5, 6)
    assert resize(pixels, (5, 6), antialias=antialias) is pixels
    np.testing.assert_array_equal(resize(pixels, (5, 9), antialias=antialias).shape, (5, 9, 3))


def test_resize_refuses_what_it_cannot_do_exactly():
    with pytest.raises(ValueError, match="uint8 or float32, not float64"):
        resize(np.zeros((2, 2)), 4, antialias=True)
    with pytest.raises(ValueError, match=r"cannot resize \(0, 3\) to \(4, 4\)"):
        resize(np.zeros((0, 3), np.uint8), 4, antialias=True)
    with pytest.raises(ValueError, match=r"cannot resize \(2, 3\) to \(4, 0\)"):
        resize(np.zeros((2, 3), np.uint8), (4, 0), antialias=False)


COLOURS = made_up(4, 5)
GREY = COLOURS[..., 0]
REPLICATED = np.repeat(GREY[:, :, None], 3, axis=2)


def saved(folder: Path, picture: Image.Image, name: str, **options) -> Path:
    picture.save(folder / name, **options)
    return folder / name


def test_opens_colours_and_grey(tmp_path):
    pixels = open_image(saved(tmp_path, Image.fromarray(COLOURS), "colours.png"))
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable
    np.testing.assert_array_equal(pixels, COLOURS)
    grey = saved(tmp_path, Image.fromarray(GREY), "grey.png")
    np.testing.assert_array_equal(open_image(grey), REPLICATED)
    bits = saved(tmp_path, Image.fromarray(GREY > 127), "bits.png")
    np.testing.assert_array_equal(open_image(bits), np.where(REPLICATED > 127, 255, 0))


def test_drops_alpha_without_compositing(tmp_path):
    clear = np.zeros((4, 5, 1), np.uint8)
    colours = Image.fromarray(np.concatenate([COLOURS, clear], axis=2))
    np.testing.assert_array_equal(open_image(saved(tmp_path, colours, "rgba.png")), COLOURS)
    grey = np.concatenate([GREY[:, :, None], clear], axis=2)
    grey = Image.frombytes("LA", (5, 4), grey.tobytes())
    np.testing.assert_array_equal(open_image(saved(tmp_path, grey, "la.png")), REPLICATED)


def test_expands_palettes_whatever_is_transparent(tmp_path):
    picture = Image.frombytes("P", (5, 4), (GREY % 4).tobytes())
    palette = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90], [1, 2, 3]], np.uint8)
    picture.putpalette(palette.tobytes())
    for name, options in {
        "palette.png": {},
        "one_clear.png": {"transparency": 2},
        "half_clear.png": {"transparency": bytes([0, 128, 255])},
    }.items():
        pixels = open_image(saved(tmp_path, picture, name, **options))
        np.testing.assert_array_equal(pixels, palette[GREY % 4])


def test_takes_the_first_frame(tmp_path):
    frames = [Image.fromarray(np.full((4, 5), value, np.uint8)) for value in (9, 200)]
    path = saved(tmp_path, frames[0], "two.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(open_image(path), np.full((4, 5, 3), 9))


def test_keeps_the_high_byte_of_sixteen_bits(tmp_path):
    deep = np.array([[0x0000, 0x00FF, 0x0100], [0x1234, 0xFEFF, 0xFFFF]], np.uint16)
    pixels = open_image(saved(tmp_path, Image.fromarray(deep), "deep.png"))
    high = np.array([[0x00, 0x00, 0x01], [0x12, 0xFE, 0xFF]])
    np.testing.assert_array_equal(pixels, np.repeat(high[:, :, None], 3, axis=2))


def test_refuses_what_eight_bits_cannot_show(tmp_path):
    """Of 32 bits 200 may be light grey, and may be almost black."""
    for value in (np.float32(0.5), np.int32(70_000), np.int32(-1), np.int32(200)):
        path = saved(tmp_path, Image.fromarray(np.full((2, 2), value)), "wide.tiff")
        with pytest.raises(ValueError, match=r"wide\.tiff.*pixels of mode [IF], which do not say"):
            open_image(path)


def test_sixteen_bits_that_pillow_opens_as_more(tmp_path):
    deep = np.array([[0x0000, 0x1234, 0xFFFF]], np.uint16)
    (tmp_path / "deep.pgm").write_bytes(b"P5 3 1 65535\n" + deep.astype(">u2").tobytes())
    saved(tmp_path, Image.fromarray(deep), "deep.tiff")
    for name in ("deep.pgm", "deep.tiff"):
        np.testing.assert_array_equal(open_image(tmp_path / name)[:, :, 0], [[0x00, 0x12, 0xFF]])


def test_ignores_the_cameras_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees to show"
    path = saved(tmp_path, Image.new("RGB", (30, 20)), "turned.jpg", exif=exif)
    assert open_image(path).shape == (20, 30, 3)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
@pytest.mark.parametrize(("held", "is_on_its_side"), [(1, False), (3, False), (6, True), (8, True)])
def test_the_head_says_how_the_camera_was_held(tmp_path, name, held, is_on_its_side):
    exif = Image.Exif()
    exif[0x0112] = held
    path = saved(tmp_path, Image.fromarray(made_up(20, 30)), name, exif=exif)
    pixels, head = read_image(path)
    assert head == read_head(path) == Head(30, 20, is_on_its_side)
    with Image.open(path) as picture:
        np.testing.assert_array_equal(pixels, np.asarray(picture.convert("RGB")))


@pytest.mark.filterwarnings("ignore")  # of Pillow, which looks for dots per inch there
def test_damaged_exif_says_nothing(tmp_path):
    for number, exif in enumerate((b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12", b"Exif\0\0nonsense")):
        path = saved(tmp_path, Image.new("RGB", (30, 20)), f"{number}.jpg", exif=exif)
        assert read_image(path).head == Head(30, 20, is_on_its_side=False)


def test_converts_cmyk(tmp_path):
    # Cyan 255, black 0: r = (255 - 255) * 255 / 255 = 0, g = b = 255.
    path = saved(tmp_path, Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "print.jpg", quality=95)
    np.testing.assert_allclose(open_image(path)[8, 8], [0, 255, 255], atol=2)


def test_bad_files_are_named(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(made_up(60, 60)).save(stream, "JPEG")
    jpeg = stream.getvalue()
    for name, content in {
        "text.jpg": b"<html>404 not found</html>",
        "header_only.jpg": jpeg[:300],
        "cut_short.jpg": jpeg[:-500],
        "program.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}: cannot be read as an image"):
            open_image(tmp_path / name)
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty\.jpg.*the file is empty"):
        open_image(tmp_path / "empty.jpg")
    with pytest.raises(FileNotFoundError, match=r"no image file .*absent\.jpg"):
        open_image(tmp_path / "absent.jpg")
    with pytest.raises(ValueError, match="cannot be read as an image"):
        open_image(tmp_path)


@pytest.mark.parametrize("side", [10_000, 14_000])
def test_refuses_decompression_bombs(tmp_path, side):
    path = saved(tmp_path, Image.new("1", (side, side)), "bomb.png")
    assert path.stat().st_size < 200_000
    with pytest.raises(ValueError, match=r"bomb\.png: too large to decode"):
        open_image(path)


def test_opens_and_resizes_photographs(sample_data):
    paths = sorted((sample_data / "coco_captions_sample" / "val2017").glob("*.jpg"))
    if not paths:
        pytest.skip("no COCO sample")
    for path in paths[:4]:
        pixels = open_image(path)
        with Image.open(path) as picture:
            assert pixels.shape == (picture.height, picture.width, 3)
        small = resize(pixels, 224, antialias=True)
        # Averaging filters keep the mean, up to the truncation by half a level.
        assert abs(pixels.mean() - small.mean() - 0.5) < 0.5
