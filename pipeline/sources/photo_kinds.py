"""Which files are photos: those with a suffix of photos, and any other file whose first bytes are those of a picture.

Photos lose their suffix on their way (noext, photo.jpg?size=300, photo.JPG_large, photo.jpg.1), so a file with an
unknown suffix is opened. Files of text and data are not, because data sets hold as many of them as photos.
"""

import re
from importlib.util import find_spec
from pathlib import PurePosixPath

# taken for photos by their names; whether they are pictures shows when they are decoded
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".heif"}
    | {".pgm", ".ppm", ".pbm", ".pnm", ".jp2", ".j2k"}
)
HEIC_SUFFIXES = frozenset({".heic", ".heif"})
# never opened: text, tables, arrays, archives, videos; unfinished downloads; pictures of cameras before development,
# most of which begin like a TIFF and hold a thumbnail beside what no decoder here reads
DATA_SUFFIXES = frozenset(
    re.findall(
        r"\.\w+",
        ".txt .json .jsonl .csv .tsv .lst .list .xml .html .htm .md .log .yaml .yml .ini .cfg .py .ipynb .sh .url .lnk "
        ".xmp .pdf .svg .psd .npy .npz .pkl .pt .pth .onnx .mat .pts .h5 .hdf5 .parquet .arrow .tfrecord .rec .idx "
        ".bin .mdb .db .sqlite .tar .zip .gz .tgz .bz2 .xz .zst .7z .rar .mp4 .mov .avi .mkv .webm .mp3 .wav "
        ".part .tmp .crdownload .download .dng .cr2 .cr3 .nef .nrw .arw .orf .rw2 .raf .pef .srw .raw",
    )
)
HEAD_BYTES = 64  # by which a picture is recognised
PICTURES = (
    re.compile(rb"\xff\xd8\xff"),  # JPEG
    re.compile(rb"\x89PNG\r\n\x1a\n"),
    re.compile(rb"GIF8[79]a"),
    re.compile(rb"RIFF....WEBP", re.DOTALL),
    re.compile(rb"II\*\0|MM\0\*"),  # TIFF
    re.compile(rb"P[1-6][ \t\r\n]\s*(?:#|\d)"),  # PBM, PGM, PPM
    re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),  # JPEG 2000
    # BMP: the sizes of its header that there are stand at byte 14
    re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL),
)
AVIF_BRANDS = frozenset({b"avif", b"avis"})
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})


def suffix_of(name: str) -> str:
    """The suffix of a file's name in small letters."""
    return PurePosixPath(name).suffix.lower()


def is_picture(head: bytes) -> bool:
    """Whether a file's first bytes are those of a picture in one of the formats that are read; head: HEAD_BYTES."""
    return any(picture.match(head) for picture in PICTURES) or bool((AVIF_BRANDS | HEIC_BRANDS) & brands(head))


def brands(data: bytes) -> set[bytes]:
    """The formats that a file in the ISO base media format says it has: AVIF, HEIC, videos."""
    if data[4:8] != b"ftyp":
        return set()
    box = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    return {box[i : i + 4] for i in range(0, len(box), 4)}


def heic_is_read() -> bool:
    """Whether the decoder of HEIC, an extra, is installed."""
    return find_spec("pillow_heif") is not None
