"""Data of a user's own."""

from __future__ import annotations

from tests.data_sets import write_image
from tests.faults.fault import Fault
from tests.faults.making import (
    also,
    conversations,
    file,
    masked,
    on_its_side,
    own,
    row_for_each_box,
    yolo,
)

ON_LINES = ("task=custom", "data=my.jsonl")
ON_BOXES = ("task=custom", "data=my.csv", "box_format=xyxy")
EDGES = "columns={image: filename, boxes: [xmin, ymin, xmax, ymax]}"
TURNED = (
    "lying.jpg is stored with 60x40 pixels, its EXIF asks to turn it, and its boxes or masks are "
    "those of the turned image. EXIF is not obeyed, as by the paper's code: turn the pixels "
    "themselves (ImageMagick's `mogrify -auto-orient`, Pillow's `ImageOps.exif_transpose`), or "
    "write boxes and masks for the image as it is stored"
)

OWN_DATA = [
    Fault(
        "no data at all",
        own(),
        ("task=custom",),
        "task=custom needs data=... There may be: a file of JSON lines (.jsonl), …",
    ),
    Fault(
        "a file without a row",
        file("my.jsonl", b"\n"),
        ON_LINES,
        "my.jsonl: there is not a single row in it; was it written to its end? A row has an "
        "image, a request and an answer",
    ),
    Fault(
        "a JSON list under the name of JSON lines",
        file("my.jsonl", b'[{"image": "0.png"}]'),
        ON_LINES,
        "my.jsonl: a JSON list, not JSON lines: call it my.json, or write one row a line, without "
        "brackets around them and commas between",
    ),
    Fault(
        "a file in another encoding",
        file("my.jsonl", '{"image": "0.png"}'.encode("utf-16")),
        ON_LINES,
        "my.jsonl: no UTF-8 text …; save it as UTF-8",
    ),
    Fault(
        "half a letter",
        own(suffix="\ud83d"),
        ON_LINES,
        "my.jsonl, line 3: no JSON, or cut short ('\\ud83d' is half a letter, without the other "
        "half)",
    ),
    Fault(
        "a row without an answer",
        own(suffix=None),
        ON_LINES,
        "my.jsonl, line 3: `suffix` is missing: give this row one, or leave the row out",
    ),
    Fault(
        "a row whose answer a table has lost",
        own(suffix=float("nan")),
        ON_LINES,
        "my.jsonl, line 3: `suffix` is nan: give this row one, or leave the row out",
    ),
    Fault(
        "a row without an image",
        own(image=None),
        ON_LINES,
        "my.jsonl, line 3: the image is missing",
    ),
    Fault(
        "a conversation with somebody else in it",
        conversations([("system", "Be brief."), ("user", "What?"), ("assistant", "A cat.")]),
        ON_LINES,
        "my.jsonl, line 3: message 1 is of 'system': there may be human or user, who ask, and gpt "
        "or assistant or model, who answer. PaliGemma has no place for others: leave the message "
        "out",
    ),
    Fault(
        "a conversation about several images",
        conversations([("user", "<image><image> What differs?"), ("assistant", "All.")]),
        ON_LINES,
        "my.jsonl, line 3: a conversation about 2 images: it may be about one. Make a row of each "
        "question, with `images`, `prefix` and `suffix`",
    ),
    Fault(
        "two rows of one id",
        own(id="0"),
        ON_LINES,
        "my.jsonl, line 3: a second row of 'train' with the id '0'; give each its own, or none to "
        "any, and they are numbered",
    ),
    Fault(
        "two names of one split",
        own(split="Train"),
        ON_LINES,
        "my.jsonl, line 3: its split is 'Train', and my.jsonl, line 1 is of 'train', and one of "
        "the two alone would be used: write them alike, or give one another name",
    ),
    Fault(
        "a role that there is not",
        own(),
        (*ON_LINES, "columns={sufix: suffix}"),
        "columns={sufix: suffix}: there is no such role.\n"
        "It has image, prefix, suffix, split, id. …",
    ),
    Fault(
        "a request that is a number",
        own(),
        (*ON_LINES, "prefix=3"),
        "task.prefix=3 is no text; a text that looks like a number needs quotes and the shell's: "
        "'...=\"3\"'",
    ),
    Fault(
        "a number that is a text",
        own(),
        (*ON_LINES, "holdout=ten"),
        "task.holdout='ten' is no number",
    ),
    Fault(
        "boxes in a format that there is not",
        own(),
        (*ON_LINES, "box_format=ltrb"),
        "what the numbers of a box mean is 'ltrb': set box_format to one of xyxy, xywh, cxcywh, "
        "yxyx, xyxy_normalised, xywh_normalised, cxcywh_normalised, yxyx_normalised",
    ),
    Fault(
        "boxes in fractions of the image that are called pixels",
        own(boxes=[[0.1, 0.1, 0.6, 0.6]], labels=["cat"]),
        (*ON_LINES, "box_format=xyxy", "metric=box_ap"),
        "my.jsonl, line 3: object 1: the box [0.1, 0.1, 0.6, 0.6] (box_format=xyxy) in an image of "
        "60x40 pixels is all within the first of them: if these are fractions of the image, say so "
        "with box_format=xyxy_normalised",
    ),
    Fault(
        "an object whose label is lost",
        own(boxes=[[1, 1, 30, 30]], labels=[None]),
        (*ON_LINES, "box_format=xyxy", "metric=box_ap"),
        'my.jsonl, line 3: object 1: the label is None, no text; of an object without one it is ""',
    ),
    Fault(
        "objects without a label, and no request",
        also(own(), file("my.jsonl", b'{"image": "0.png", "boxes": [[1, 1, 30, 30]]}')),
        (*ON_LINES, "box_format=xyxy"),
        "there is nothing to ask for: not one object has a label. Name their column "
        "(columns={labels: ...}), or write the request ('prefix=\"detect cat\"')",
    ),
    Fault(
        "a row for each box, and not for each image",
        also(
            own(),
            file(
                "my.csv",
                b"image,boxes,labels\n"
                b'0.png,"[[1, 1, 30, 30]]","[""cat""]"\n0.png,"[[5, 5, 9, 9]]","[""dog""]"\n',
            ),
        ),
        ("task=custom", "data=my.csv", "box_format=xyxy"),
        "my.csv, line 3: this image has a row already (my.csv, line 2), which asks 'detect cat ; "
        "dog', too, and has other objects. An image has one row with all of its objects, "
        "boxes=[[...], [...]] and labels=[..., ...]; or one for each, if the numbers of its box "
        "are in four columns: 'columns={boxes: [xmin, ymin, xmax, ymax]}'",
    ),
    Fault(
        "a table with a row for each box, without a word of that",
        row_for_each_box(),
        ("task=custom", "data=my.csv"),
        "the data has no column `image`, `images` or `video`. If xmin, ymin, xmax, ymax are a box, "
        "and an image has a row for each of its boxes, they are read by 'columns={image: filename, "
        "boxes: [xmin, ymin, xmax, ymax], labels: class}' box_format=xyxy (xyxy_normalised if they "
        "are fractions of the image). It has filename, width, height, class, xmin, ymin, xmax, "
        "ymax. Say which is which, e.g. …",
    ),
    Fault(
        "the columns of a box, of which there is not one",
        row_for_each_box(),
        (*ON_BOXES, "columns={image: filename, boxes: [xmin, ymin, x, ymax]}"),
        "'columns={boxes: [xmin, ymin, x, ymax]}': the data has no column 'x'; it has filename, "
        "width, height, class, xmin, ymin, xmax, ymax",
    ),
    Fault(
        "an edge of a box that is no number",
        row_for_each_box(xmax="wide"),
        (*ON_BOXES, EDGES),
        "my.csv, line 4: `xmax` is 'wide', no number",
    ),
    Fault(
        "an edge of a box that is missing",
        row_for_each_box(xmax=""),
        (*ON_BOXES, EDGES),
        "my.csv, line 4: `xmax` is missing: a box has four numbers, and of an image without an "
        "object all four are empty",
    ),
    Fault(
        "an image without an object that has one",
        row_for_each_box(**dict.fromkeys(("class", "xmin", "ymin", "xmax", "ymax"), "")),
        (*ON_BOXES, EDGES),
        "my.csv, line 5: one of two rows says that there is no object, as its xmin, ymin, xmax, "
        "ymax are empty, and the other is of the same image and request (my.csv, line 4): leave "
        "one out",
    ),
    Fault(
        "rows of one image that differ in its size",
        row_for_each_box(width="61"),
        (*ON_BOXES, EDGES),
        "my.csv, line 5: `width` is '60', and it is '61' in another row of this image (my.csv, "
        "line 4)",
    ),
    Fault(
        "a box in a row of its own that leaves the image",
        row_for_each_box(filename="0.png", xmax="90"),
        (*ON_BOXES, EDGES),
        "my.csv, line 2: object 3 (my.csv, line 4): the box [1.0, 1.0, 90.0, 30.0] "
        "(box_format=xyxy) in an image of 60x40 pixels leaves it",
    ),
    Fault(
        "polygons in fractions of the image, without a word of that",
        masked([[0.1, 0.1, 0.6, 0.1, 0.6, 0.6]]),
        ON_LINES,
        "my.jsonl, line 3: object 1: the mask [[0.1, 0.1, 0.6, 0.1, 0.6, 0.6]] is all within the "
        "first pixel of an image of 60x40: if these are fractions of it, say so with "
        "box_format=xyxy_normalised, or as the boxes are (xywh_normalised, cxcywh_normalised, "
        "yxyx_normalised)",
    ),
    Fault(
        "a mask whose file is not there",
        masked("none.png", boxes=[[1, 1, 30, 30]]),
        (*ON_LINES, "box_format=xyxy", "metric=miou"),
        "my.jsonl, line 3: object 1: its mask, 'none.png', is no file in .",
    ),
    Fault(
        "a mask in a JPEG file",
        also(masked("mask.jpg"), lambda folder: write_image(folder / "mask.jpg")),
        ON_LINES,
        "my.jsonl, line 3: object 1: mask.jpg is a mask in a JPEG file, which blurs its edges: "
        "save it as PNG, black where the object is not",
    ),
    Fault(
        "a mask beside its box",
        masked([[40, 5, 50, 5, 50, 15]], boxes=[[1, 1, 30, 30]]),
        (*ON_LINES, "box_format=xyxy", "metric=miou"),
        "my.jsonl, line 3: object 1: its mask has not one pixel in its box",
    ),
    Fault(
        "a metric that does not fit the answers",
        own(),
        (*ON_LINES, "metric=vqa"),
        "the split 'validation' cannot be scored: metric=vqa compares with the answers of several "
        "people, and example '4' has one suffix only; metric=exact compares with it",
    ),
    Fault(
        "images to validate on without a box",
        own(boxes=[[1, 1, 30, 30]], labels=["cat"]),
        (*ON_LINES, "box_format=xyxy", "metric=box_ap"),
        "the split 'validation' cannot be scored: there is not one box to be found in its images",
    ),
    Fault(
        "a label of YOLO that is none",
        yolo("0 0.5 0.5 0.25"),
        ("task=custom", "data=."),
        "labels/train/0.txt, line 3: '0 0.5 0.5 0.25' has 3 numbers behind the class: a box has "
        "four (centre, width, height), a polygon two for each of three corners or more",
    ),
    Fault(
        "a box that leaves a photograph, unless it is turned as its EXIF says",
        on_its_side([1, 20, 30, 55]),
        (*ON_LINES, "box_format=xyxy"),
        f"my.jsonl, line 3: {TURNED}",
    ),
    Fault(
        "a photograph whose sides are those of the one that is turned as its EXIF says",
        on_its_side([1, 20, 30, 55], width=40, height=60),
        (*ON_LINES, "box_format=xyxy"),
        f"example '2': {TURNED}",
    ),
]
