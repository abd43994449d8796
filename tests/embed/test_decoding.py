"""Hostile bytes become upright RGB pictures or an error of the catalogue."""

from __future__ import annotations

import io
import struct
import threading
import zlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from frs.embed.decoding import CROP_SIDE, crop_face, decode_picture, encode_jpeg
from frs.errors import FrsError, Reason
from frs.types import Picture

BYTES, PIXELS = 20 << 20, 50_000_000
RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 180, 30), (30, 30, 200), (250, 250, 250)


def quarters(mode: str = "RGB", side: int = 64) -> Image.Image:
    """Draw a picture whose corners tell its orientation: red, green over blue, white."""
    image = Image.new("RGB", (side, side // 2), WHITE)
    half, low = side // 2, side // 4
    image.paste(RED, (0, 0, half, low))
    image.paste(GREEN, (half, 0, side, low))
    image.paste(BLUE, (0, low, half, side // 2))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decode(data: bytes) -> Picture:
    return decode_picture(data, BYTES, PIXELS)


def reason_of(act: Callable[[], object]) -> Reason:
    with pytest.raises(FrsError) as caught:
        act()
    return caught.value.reason


def corners(picture: Picture) -> list[tuple[int, ...]]:
    """Return the colours of the four corners: top left, top right, bottom left, bottom right."""
    height, width = picture.shape[:2]
    places = [(4, 4), (4, width - 5), (height - 5, 4), (height - 5, width - 5)]
    return [tuple(int(v) for v in picture[place]) for place in places]


def close(found: list[tuple[int, ...]], expected: list[tuple[int, ...]], by: int = 8) -> bool:
    return all(
        abs(a - b) <= by for one, other in zip(found, expected, strict=True) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_every_format_gives_upright_rgb(kind: str) -> None:
    """Colours come out in the order red, green, blue, whatever the format."""
    picture = decode(encoded(quarters(), kind, **({"quality": 95} if kind in {"JPEG", "WEBP"} else {})))
    assert (picture.shape, picture.dtype) == ((32, 64, 3), np.dtype(np.uint8))
    assert picture.flags.c_contiguous
    assert close(corners(picture), [RED, GREEN, BLUE, WHITE], by=20 if kind == "WEBP" else 8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    """A picture stored in any of the eight orientations comes out as it is looked at, the same for each format."""
    stored = {
        1: lambda i: i,
        2: lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda i: i.transpose(Image.Transpose.ROTATE_180),
        4: lambda i: i.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda i: i.transpose(Image.Transpose.TRANSPOSE),
        6: lambda i: i.transpose(Image.Transpose.ROTATE_90),
        7: lambda i: i.transpose(Image.Transpose.TRANSVERSE),
        8: lambda i: i.transpose(Image.Transpose.ROTATE_270),
    }[orientation](quarters())
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"quality": 95} if kind in {"JPEG", "WEBP"} else {}
    picture = decode(encoded(stored, kind, exif=exif.tobytes(), **options))
    assert picture.shape == (32, 64, 3)
    assert close(corners(picture), [RED, GREEN, BLUE, WHITE], by=20 if kind == "WEBP" else 8)


def test_big_endian_exif_is_read() -> None:
    """Cameras write EXIF in either byte order."""
    block = b"MM\x00*" + struct.pack(">IH", 8, 1) + struct.pack(">HHIHH", 0x0112, 3, 1, 3, 0) + b"\x00" * 4
    data = encoded(quarters().transpose(Image.Transpose.ROTATE_180), "JPEG", quality=95, exif=b"Exif\x00\x00" + block)
    assert close(corners(decode(data)), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize(
    "block", [b"", b"II*\x00", b"II*\x00\xff\xff\xff\xff", b"XX" * 20, b"II*\x00\x08\x00\x00\x00\xff\xff"]
)
def test_damaged_exif_counts_as_upright(block: bytes) -> None:
    """A damaged EXIF block never costs the picture."""
    data = encoded(quarters(), "JPEG", quality=95, exif=b"Exif\x00\x00" + block)
    assert close(corners(decode(data)), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize(("mode", "kind"), [("L", "JPEG"), ("L", "PNG"), ("1", "PNG"), ("L", "TIFF"), ("L", "BMP")])
def test_grey_pictures_have_three_equal_channels(mode: str, kind: str) -> None:
    """Greyscale and black-and-white pictures become RGB."""
    picture = decode(encoded(quarters(mode), kind))
    assert picture.shape == (32, 64, 3)
    assert (picture[..., 0] == picture[..., 1]).all()
    assert (picture[..., 1] == picture[..., 2]).all()
    assert picture[4, 4, 0] < picture[28, 60, 0]


def test_cmyk_jpeg_is_not_inverted() -> None:
    """Adobe's CMYK JPEGs store inverted inks; the colours come out right all the same."""
    data = encoded(quarters("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data
    assert close(corners(decode(data)), [RED, GREEN, BLUE, WHITE], by=12)


def test_cmyk_jpeg_is_turned_upright() -> None:
    """The orientation is applied on the slow path as on the fast one."""
    exif = Image.Exif()
    exif[0x0112] = 3
    data = encoded(quarters("CMYK").transpose(Image.Transpose.ROTATE_180), "JPEG", quality=95, exif=exif.tobytes())
    assert close(corners(decode(data)), [RED, GREEN, BLUE, WHITE], by=12)


def test_rgb_jpeg_with_adobe_marker_keeps_its_colours() -> None:
    """A JPEG that stores RGB without the colour transform is not converted from YCbCr."""
    data = encoded(quarters(), "JPEG", quality=95, keep_rgb=True)
    assert close(corners(decode(data)), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparent_pixels_lie_over_mid_grey(kind: str) -> None:
    """Alpha is composited on a neutral background: what is transparent shows grey, what is not keeps its colour."""
    image = quarters("RGBA")
    image.putpixel((4, 4), (255, 0, 0, 0))
    image.paste((255, 0, 0, 0), (0, 0, 10, 10))
    picture = decode(encoded(image, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert close(corners(picture), [(128, 128, 128), GREEN, BLUE, WHITE], by=2)


def test_transparent_palette_and_grey_alpha() -> None:
    """Transparency given by a palette entry or beside grey levels counts as well."""
    palette = quarters("P")
    index = np.asarray(palette)[4, 4]
    assert corners(decode(encoded(palette, "PNG", transparency=int(index))))[0] == (128, 128, 128)
    grey = Image.new("LA", (16, 16), (255, 0))
    assert corners(decode(encoded(grey, "PNG")))[0] == (128, 128, 128)


def test_palette_pictures_keep_their_colours() -> None:
    """Indexed colours are looked up."""
    assert close(corners(decode(encoded(quarters("P"), "PNG"))), [RED, GREEN, BLUE, WHITE], by=30)


@pytest.mark.parametrize(("kind", "order"), [("PNG", "<"), ("TIFF", "<"), ("TIFF", ">")])
def test_sixteen_bit_grey_keeps_its_contrast(kind: str, order: str) -> None:
    """16-bit levels are scaled to 8 bits, not clipped."""
    levels = np.array([[0, 16384], [32768, 65535]], dtype=np.uint16).repeat(16, 0).repeat(16, 1)
    image = (
        Image.fromarray(levels) if order == "<" else Image.frombytes("I;16B", (32, 32), levels.astype(">u2").tobytes())
    )
    picture = decode(encoded(image, kind))
    assert [corner[0] for corner in corners(picture)] == [0, 64, 128, 255]


def test_sixteen_bit_rgb_png() -> None:
    """A 16-bit colour PNG keeps its high bytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    row = b"\x00" + struct.pack(">HHH", 0xC800, 0x1E00, 0x1E00) * 16
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0))
    data += chunk(b"IDAT", zlib.compress(row * 16)) + chunk(b"IEND", b"")
    assert corners(decode(data))[0] == (200, 30, 30)


@pytest.mark.parametrize(("top", "dtype"), [(1.0, "float32"), (255.0, "float32"), (200000, "int32")])
def test_float_and_32_bit_levels_are_scaled(top: float, dtype: str) -> None:
    """Grey levels of unusual types become 8-bit without wrapping round."""
    levels: npt.NDArray[np.generic] = (np.linspace(0, 1, 256) * top).astype(dtype).reshape(16, 16)
    picture = decode(encoded(Image.fromarray(levels), "TIFF"))
    assert (np.diff(picture[..., 0].reshape(-1).astype(int)) >= 0).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_picture_of_an_animation(kind: str) -> None:
    """Of an animated or many-paged file the first picture is taken."""
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, GREEN, BLUE)]
    options: dict[str, object] = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert close(corners(decode(data)), [RED] * 4, by=8)


@pytest.mark.parametrize("progressive", [False, True])
def test_plain_jpeg_equals_pillow(progressive: bool) -> None:
    """The fast path gives the same pixels as Pillow."""
    noise = np.random.default_rng(0).integers(0, 255, (90, 70, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), "JPEG", quality=80, progressive=progressive)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(decode(data), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.99])
def test_truncated_picture_is_refused(kind: str, share: float) -> None:
    """A file that ends early is refused, never filled with grey."""
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    assert reason_of(lambda: decode(data[: int(len(data) * share)])) is Reason.PICTURE_TRUNCATED


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_truncated_anywhere_is_refused(progressive: bool) -> None:
    """Cutting a JPEG after any byte is noticed, although the decoder would not say so."""
    data = encoded(quarters(), "JPEG", quality=60, progressive=progressive)
    refusals = {Reason.PICTURE_TRUNCATED, Reason.PICTURE_UNREADABLE}
    for end in range(1, len(data) - 1):
        with pytest.raises(FrsError) as caught:
            decode(data[:end])
        assert caught.value.reason in refusals


def test_bytes_after_the_end_of_a_jpeg_are_ignored() -> None:
    """Phones append depth maps and videos to their photographs."""
    data = encoded(quarters(), "JPEG", quality=95)
    assert np.array_equal(decode(data + b"\x00MotionPhoto" * 1000), decode(data))


def test_thumbnail_does_not_end_the_picture() -> None:
    """The end-of-image marker of an embedded thumbnail is not taken for the picture's."""
    thumbnail = encoded(quarters(side=16), "JPEG")
    data = encoded(quarters(), "JPEG", quality=95, exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00" + thumbnail)
    assert decode(data).shape == (32, 64, 3)
    assert reason_of(lambda: decode(data[:-200])) is Reason.PICTURE_TRUNCATED


def test_empty_bytes() -> None:
    """Nothing is no picture."""
    assert reason_of(lambda: decode(b"")) is Reason.PICTURE_EMPTY


@pytest.mark.parametrize(
    "data",
    [
        b"hello, world",
        b"\x00" * 1000,
        b"%PDF-1.7\n",
        b"<svg/>",
        b"II*\x00",
        b"BM",
        b"\xff\xd8\xff",
        b"GIF89a",
        b"8BPS\x00\x01",
    ],
)
def test_what_is_no_picture(data: bytes) -> None:
    """Other files and bare signatures are refused as unreadable or truncated."""
    assert reason_of(lambda: decode(data)) in {Reason.PICTURE_UNREADABLE, Reason.PICTURE_TRUNCATED}


@pytest.mark.parametrize("kind", ["ICO", "PPM", "TGA", "SGI", "PCX", "JPEG2000"])
def test_only_listed_formats_are_opened(kind: str) -> None:
    """Formats outside the list are refused even where the library could open them."""
    data = encoded(quarters(), kind)
    assert reason_of(lambda: decode(data)) is Reason.PICTURE_UNREADABLE


def test_limit_on_bytes() -> None:
    """The limit on bytes holds before anything is looked at."""
    data = encoded(quarters(), "PNG")
    assert reason_of(lambda: decode_picture(data, len(data) - 1, PIXELS)) is Reason.PICTURE_TOO_LARGE
    assert decode_picture(data, len(data), PIXELS).shape == (32, 64, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_limit_on_pixels(kind: str) -> None:
    """One pixel over the limit is refused; the limit itself is taken."""
    data = encoded(quarters(), kind)
    assert reason_of(lambda: decode_picture(data, BYTES, 64 * 32 - 1)) is Reason.PICTURE_TOO_MANY_PIXELS
    assert decode_picture(data, BYTES, 64 * 32).shape == (32, 64, 3)


def test_sixty_megapixels_are_refused() -> None:
    """A picture over the shipped limit is refused by its header, not after decoding."""
    data = encoded(Image.new("L", (8000, 7500), 128), "JPEG", quality=20)
    assert reason_of(lambda: decode(data)) is Reason.PICTURE_TOO_MANY_PIXELS


def test_decompression_bomb_is_refused_by_its_header() -> None:
    """A few bytes that claim gigapixels cost nothing: their data is never touched."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10**7), 9)) + chunk(b"IEND", b"")
    assert len(data) < 20_000
    assert reason_of(lambda: decode(data)) is Reason.PICTURE_TOO_MANY_PIXELS


def test_jpeg_with_thousands_of_scans_is_refused() -> None:
    """A progressive JPEG that repeats its scans to keep the decoder busy is refused."""
    data = encoded(quarters(), "JPEG", progressive=True)
    start = data.index(b"\xff\xda")
    end = data.index(b"\xff", start + 12)
    assert reason_of(lambda: decode(data[:end] + data[start:end] * 200 + data[end:])) is Reason.PICTURE_UNREADABLE


def test_lab_pictures_keep_their_colours() -> None:
    """Pictures in CIE Lab are converted."""
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(quarters(), to_lab)
    assert lab is not None
    assert close(corners(decode(encoded(lab, "TIFF"))), [RED, GREEN, BLUE, WHITE], by=25)


SEEDS = {
    "JPEG": encoded(quarters(), "JPEG", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00"),
    "progressive": encoded(quarters(), "JPEG", progressive=True),
    "CMYK": encoded(quarters("CMYK"), "JPEG"),
    "PNG": encoded(quarters("RGBA"), "PNG"),
    "TIFF": encoded(quarters(), "TIFF", compression="tiff_lzw"),
    "GIF": encoded(quarters("P"), "GIF"),
    "WEBP": encoded(quarters(), "WEBP"),
    "BMP": encoded(quarters("P"), "BMP"),
}


def survives(data: bytes) -> None:
    """Decode and demand a picture or an FrsError; warnings are errors in this suite."""
    try:
        picture = decode_picture(data, BYTES, 1_000_000)
    except FrsError as error:
        assert error.reason.startswith("PICTURE_")  # noqa: PT017  # raising is one of two good outcomes
    else:
        assert picture.ndim == 3
        assert picture.shape[2] == 3
        assert picture.dtype == np.uint8


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\x00", b"BM", b"RIFF\x10\x00\x00\x00WEBP"]
    ),
    st.binary(max_size=300),
)
@example(b"\xff\xd8\xff", b"\xff" * 50)
def test_arbitrary_bytes_raise_only_catalogue_errors(start: bytes, rest: bytes) -> None:
    """Any bytes at all give a picture or a PICTURE_ error."""
    survives(start + rest)


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(sorted(SEEDS)),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=8),
    st.floats(0, 1),
)
def test_mutated_pictures_raise_only_catalogue_errors(name: str, changes: list[tuple[int, int]], share: float) -> None:
    """Pictures with changed bytes, cut anywhere, give a picture or a PICTURE_ error."""
    data = bytearray(SEEDS[name])
    for place, value in changes:
        data[place % len(data)] = value
    survives(bytes(data))
    survives(bytes(data[: int(len(data) * share)]))


def test_threads_decode_without_changing_the_process_warnings() -> None:
    """Many threads at once decode pictures whose metadata warns; nothing reaches the process's filters."""
    noisy = encoded(quarters(), "TIFF").replace(b"\x00\x01\x03\x00\x01", b"\x00\x01\x03\x00\x05", 1)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(20):
                survives(noisy)
                survives(SEEDS["PNG"])
        except BaseException as error:  # noqa: BLE001  # carried to the test's thread
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_encoding_and_decoding_agree() -> None:
    """A picture survives JPEG nearly unchanged, colours in order."""
    picture = decode(encoded(quarters(), "PNG"))
    again = decode(encode_jpeg(picture, 98))
    assert close(corners(again), [RED, GREEN, BLUE, WHITE], by=3)


def test_crop_has_a_margin_and_stays_inside() -> None:
    """A crop for reviewers is the box with its margin, cut at the picture's edges, and a copy."""
    picture = np.arange(100 * 80 * 3, dtype=np.uint32).astype(np.uint8).reshape(100, 80, 3)
    crop = crop_face(picture, (20, 20, 40, 60), margin=0.5)
    assert np.array_equal(crop, picture[0:80, 10:50])
    crop[:] = 0
    assert picture[0:80, 10:50].any()
    assert crop_face(picture, (70, 90, 90, 120)).shape == (21, 17, 3)
    assert reason_of(lambda: crop_face(picture, (200, 200, 220, 220))) is Reason.INVALID_FIELD


@pytest.mark.parametrize(
    ("box", "shape"),
    [((0, 0, 4000, 3000), (480, 640, 3)), ((1000, 0, 1400, 3000), (640, 145, 3)), ((0, 0, 4000, 2), (1, 640, 3))],
)
def test_crop_of_a_large_face_is_scaled_down(box: tuple[float, float, float, float], shape: tuple[int, ...]) -> None:
    """However large the face and however little of it compresses, its JPEG stays below 1 MiB; its light stays too."""
    noise = np.random.default_rng(4).integers(0, 256, (3000, 4000, 3), dtype=np.uint8)
    crop = crop_face(noise, box)
    assert crop.shape == shape
    assert len(encode_jpeg(crop)) < 1 << 20
    assert abs(float(crop.mean()) - float(noise.mean())) < 2
    assert not np.shares_memory(crop, noise)


def test_the_largest_crop_of_noise_stays_below_the_contracts_limit() -> None:
    """A crop that is not scaled, and does not compress at all, is below half of 1 MiB."""
    noise = np.random.default_rng(5).integers(0, 256, (CROP_SIDE, CROP_SIDE, 3), dtype=np.uint8)
    crop = crop_face(noise, (0, 0, CROP_SIDE, CROP_SIDE))
    assert np.array_equal(crop, noise)
    assert len(encode_jpeg(crop)) < 1 << 19
