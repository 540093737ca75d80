"""Files of pixels."""

from __future__ import annotations

from tests.faults.broken_runs import trained
from tests.faults.fault import Fault
from tests.faults.making import (
    IMAGE,
    ON_TEXTVQA,
    also,
    bomb,
    cut_short,
    deep_pixels,
    folder_in_place_of,
    link,
    no_images,
    wide_pixels,
    with_file,
    without,
)

IMAGES = [
    Fault(
        "too many broken images to go on without",
        no_images,
        (*ON_TEXTVQA, "on_error=skip"),
        "10 examples drawn one after the other cannot be read, too many to go on without; the "
        "last is example …: no image file data/textvqa/train_images/….jpg",
    ),
    Fault(
        "an absent image",
        without("train_images/train02.jpg"),
        (*ON_TEXTVQA,),
        "1 of 4 images are not in data/textvqa/train_images; the first is train02.jpg.\n"
        "TextVQA_0.5.1_train.json, TextVQA_0.5.1_val.json and TextVQA_0.5.1_test.json, "
        "train_val_images.zip and test_images.zip are at https://textvqa.org/dataset; unzip "
        "the images there.",
    ),
    Fault(
        "an image that is cut short",
        cut_short("train_images/train02.jpg"),
        (*ON_TEXTVQA,),
        "example '2': data/textvqa/train_images/train02.jpg: cannot be read as an image …; "
        "fetch the file again, or convert it to one of JPEG, PNG, GIF, BMP, WEBP, TIFF, PPM",
    ),
    Fault(
        "a folder in place of an image",
        folder_in_place_of(IMAGE),
        (*ON_TEXTVQA,),
        "example '2': data/textvqa/train_images/train02.jpg: cannot be read as an image (Is a "
        "directory); fetch the file again, or convert it to one of JPEG, PNG, GIF, BMP, WEBP, "
        "TIFF, PPM",
    ),
    Fault(
        "an image that is a link to itself",
        also(without("train_images/train02.jpg"), link(str(IMAGE), "train02.jpg")),
        (*ON_TEXTVQA,),
        "example '2': data/textvqa/train_images/train02.jpg: cannot be read as an image (Too many "
        "levels of symbolic links); fetch the file again, or convert it to one of JPEG, PNG, GIF, "
        "BMP, WEBP, TIFF, PPM",
    ),
    Fault(
        "an image of no bytes",
        with_file("train_images/train02.jpg", b""),
        (*ON_TEXTVQA,),
        "example '2': data/textvqa/train_images/train02.jpg: cannot be read as an image (the "
        "file is empty); fetch the file again, or convert it to one of JPEG, PNG, GIF, BMP, "
        "WEBP, TIFF, PPM",
    ),
    Fault(
        "a page of HTML in place of an image",
        with_file("train_images/train02.jpg", b"<html>404 Not Found</html>"),
        (*ON_TEXTVQA,),
        "example '2': data/textvqa/train_images/train02.jpg: cannot be read as an image …; "
        "fetch the file again, or convert it to one of JPEG, PNG, GIF, BMP, WEBP, TIFF, PPM",
    ),
    Fault(
        "an image of a few bytes that would fill the memory",
        with_file("train_images/train02.jpg", bomb()),
        (*ON_TEXTVQA,),
        "example '2': data/textvqa/train_images/train02.jpg: too large to decode, as that "
        "could fill the memory …; shrink it, or leave it out of the data",
    ),
    Fault(
        "an image of fractions",
        deep_pixels,
        (*ON_TEXTVQA,),
        "example '2': data/textvqa/train_images/train02.jpg: cannot be read as an image "
        "(pixels of mode F, which do not say what is white: save them with 8 or 16 bits); fetch "
        "the file again, or convert it to one of JPEG, PNG, GIF, BMP, WEBP, TIFF, PPM",
    ),
    Fault(
        "an image of 32 bits",
        wide_pixels,
        (*ON_TEXTVQA,),
        "example '2': data/textvqa/train_images/train02.jpg: cannot be read as an image "
        "(pixels of mode I, which do not say what is white: save them with 8 or 16 bits); fetch "
        "the file again, or convert it to one of JPEG, PNG, GIF, BMP, WEBP, TIFF, PPM",
    ),
    Fault(
        "a broken image among those that are scored",
        cut_short("train_images/val01.jpg"),
        (*ON_TEXTVQA,),
        "example '101': data/textvqa/train_images/val01.jpg: cannot be read as an image …; "
        "fetch the file again, or convert it to one of JPEG, PNG, GIF, BMP, WEBP, TIFF, PPM",
    ),
    Fault(
        "a broken image in an evaluation",
        trained(cut_short("train_images/val01.jpg")),
        ("run=run", "split=val"),
        "example '101': data/textvqa/train_images/val01.jpg: cannot be read as an image …; "
        "fetch the file again, or convert it to one of JPEG, PNG, GIF, BMP, WEBP, TIFF, PPM",
        program="evaluate.py",
    ),
]
