"""The arguments and options that several commands share, each with one type and one help text.

A command's function annotates its parameters with these names. ROOT comes first; output goes to --out; an option that
may be repeated is a list. An option of a single command is declared where that command is.
"""

from pathlib import Path
from typing import Annotated

import typer

NONE_GIVEN: list[str] = []  # the default of options that may repeat; never changed

# arguments
Root = Annotated[
    str, typer.Argument(metavar="ROOT", help="Where a refinement's tables lie: a folder, or an address like s3://...")
]
Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE PATH",
        help="Pairs of image-folder, photo-list, webdataset, parquet, ms-celeb, record-io or megaface and a path; "
        "NAME=PATH names the source. "
        "The paths of megaface may also be given by --probes and --gallery.",
    ),
]
Dataset = Annotated[
    Path, typer.Argument(metavar="DATA", help="A folder that `refinery export` wrote, or an InsightFace .rec file.")
]

Port = Annotated[int, typer.Option(help="Port; it can be reached from this machine only.")]

# what is written
OutFile = Annotated[Path, typer.Option("--out", help="The file to write.")]
OutFolder = Annotated[Path, typer.Option("--out", help="The folder to write to.")]
OutRoot = Annotated[str, typer.Option("--out", help="Where to write tables: a folder, or an address like s3://...")]

Each = Annotated[int, typer.Option(help="Findings, or mistakes, to show of each kind.")]
Megabytes = Annotated[float, typer.Option(help="Megabytes that pictures of faces may take in the page.")]

# models and photos
Detector = Annotated[
    str,
    typer.Option(
        help="Face detector: an ONNX file (SCRFD or YuNet), or an InsightFace pack like buffalo_l. For a test set, "
        "needed only if its photos are not aligned."
    ),
]
Embedder = Annotated[
    str,
    typer.Option(
        help="Embedder: an ONNX file (112x112, ArcFace kind), a checkpoint of `refinery train`, or an InsightFace pack."
    ),
]
SecondEmbedder = Annotated[
    str,
    typer.Option(
        help="A second embedder, trained on other data: nothing is relabelled or merged unless both agree, and no "
        "photo is an outlier if one of them speaks clearly against it."
    ),
]
Quality = Annotated[
    str,
    typer.Option(
        help="Face-quality model: an ONNX file of one output for a 112x112 RGB face, like eDifFIQA or CR-FIQA. "
        "Default: the quality is learned from degraded faces of the data."
    ),
]
Aligned = Annotated[bool, typer.Option("--aligned", help="The photos are aligned 112x112 (or 112x96) crops already.")]
Flip = Annotated[
    str,
    typer.Option(
        help="How the mirrored face's embedding joins the face's own: none, add or concatenate. Default: none; where "
        "`evaluate` measures a .bin, templates or TinyFace, add, as their published figures are measured."
    ),
]
TestSets = Annotated[
    list[str],
    typer.Option(
        "--test-set",
        help="A .bin, a pairs.txt, a folder of people, or another kind of `evaluate --help`; may be repeated.",
    ),
]
References = Annotated[
    list[str],
    typer.Option(
        "--reference",
        help="Photos of other people, for the calibration of data with few identities: a folder of people, or a folder "
        "of photos that each show another person; may be repeated.",
    ),
]
Cache = Annotated[
    str,
    typer.Option(
        help="Folder in which aligned faces and embeddings are kept for the next run; a ROOT can be used. "
        "Default: one in the user's cache."
    ),
]
Against = Annotated[
    list[str],
    typer.Option(help="What to compare the first argument with: another ROOT or another model; may be repeated."),
]

# the rules of a refinement
Probes = Annotated[str, typer.Option(help="For SOURCE megaface: folder of the probes, FaceScrub's folders of people.")]
Gallery = Annotated[str, typer.Option(help="For SOURCE megaface: folder of the distractors.")]
FollowLinks = Annotated[
    bool,
    typer.Option(
        "--follow-links", help="Follow links that lead out of an image-folder or megaface source; default: count them."
    ),
]
IdentityLevel = Annotated[
    int,
    typer.Option(
        min=0,
        help="For SOURCE image-folder: the identity is the first so many folders of a photo's path, so 1 for "
        "person/album/photo; 0: all of them.",
    ),
]
Boxes = Annotated[
    list[str],
    typer.Option(
        help="List of boxes of the claimed persons' faces, for all sources: VGGFace2's loose_bb_*.csv, FaceScrub's "
        "facescrub_actors.txt, IMDb-Face.csv, or a table of path and x1, y1, x2, y2; may be repeated. Default: those "
        "beside the photos."
    ),
]
Undecided = Annotated[str, typer.Option(help="What to do with photos that people should decide about: keep or drop.")]
LostPerNoise = Annotated[
    float,
    typer.Option(
        help="Clean photos that may be lost for one noise photo found; with fewer, only surer outliers are removed."
    ),
]
Shards = Annotated[int, typer.Option(min=0, help="Shards of each table; 0: by the number of photos.")]
MinFaces = Annotated[int, typer.Option(help="Photos that an identity must have left; one with fewer is removed.")]
WithoutLostAnswers = Annotated[
    bool,
    typer.Option(
        "--without-lost-answers",
        help="Refine though answers with which the last labels were made are gone from ROOT/ledger: labels may change.",
    ),
]
Groups = Annotated[
    str,
    typer.Option(
        help="CSV or Parquet with columns identity, group (of people: refine calibrates its thresholds by it, review "
        "asks annotators of it, evaluate and train measure by it), and others that annotators should see."
    ),
]

# lists and patches
Author = Annotated[str, typer.Option(help="Name of the list or patch in the ledger; default: the file's name.")]
Yes = Annotated[
    bool,
    typer.Option(
        "--yes",
        help="Do it all the same: erase what was found, or apply a list or patch of which less than half is in the "
        "data, that removes more than a tenth of all photos, or whose class numbers do not stand for one identity each "
        "(they are passed over).",
    ),
]
Withdraw = Annotated[bool, typer.Option("--withdraw", help="Take all decisions of the list or patch back.")]

# a search for a person
Far = Annotated[float, typer.Option(help="False accept rate: share of impostors that pass as the person.")]

# how it runs
DaskWorkers = Annotated[
    str, typer.Option(help="Worker processes, or a Dask scheduler's address (tcp://host:8786); default: threads.")
]
Memory = Annotated[str, typer.Option(help="Memory for searches among all persons, like 8GB; default: no limit.")]
Device = Annotated[
    str,
    typer.Option(
        help="Where models run: cpu, cuda, cuda:1..., or tensorrt (for ONNX models; the first run takes minutes); "
        "default: a card where there is one."
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything that is drawn at random.")]
Draws = Annotated[int, typer.Option(help="Bootstrap samples of a test set for the 95% intervals; 0: no intervals.")]
Format = Annotated[
    str, typer.Option(help="Format of the data set: parquet, recordio, folder, huggingface, webdataset or fiftyone.")
]
Licence = Annotated[
    str,
    typer.Option(
        help="Licence of the photos, or of the model, for its card: an identifier (cc-by-nc-4.0) or the text's address."
    ),
]
Only = Annotated[list[str], typer.Option("--only", help="Measure only these; may be repeated. Default: all.")]

StepSample = Annotated[int, typer.Option("--sample", help="Photos on which single steps are measured.")]

# a training
Recipe = Annotated[str, typer.Option(help="Recipe to train: sample, casia_r50, ms1m_r50, ms1m_r100 or amsoftmax_r20.")]
Backbone = Annotated[str, typer.Option(help="Network, instead of the recipe's: iresnet50, mobilefacenet...")]
Loss = Annotated[str, typer.Option(help="Loss, instead of the recipe's: arcface, cosface:scale=32+focal...")]
Steps = Annotated[int | None, typer.Option(help="Updates of the weights, instead of the recipe's.")]
Batch = Annotated[int | None, typer.Option(help="Photos of one update over all ranks, instead of the recipe's.")]
LearningRate = Annotated[float | None, typer.Option("--lr", help="Peak learning rate, instead of the recipe's.")]
Norm = Annotated[
    str,
    typer.Option(
        help="Batch norm on several ranks: local, over a rank's own photos, or sync, over those of all ranks; default: "
        "the recipe's."
    ),
]
Settings = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Any other field of the training (`refinery train --fields` lists them); may be repeated.",
    ),
]
Rounds = Annotated[int, typer.Option(help="Maximum number of rounds.")]
Threads = Annotated[int, typer.Option(help="Threads that decode photos.")]
Seeds = Annotated[int, typer.Option(help="Trainings on each data set, each with a seed of its own.")]

# drawn people and drawn embeddings
World = Annotated[
    Path,
    typer.Option(
        help="Folder of a data set with known truth: photos/ and truth.tsv, as `refinery sample world` writes."
    ),
]
People = Annotated[int, typer.Option(help="People with a name; outliers show others.")]
Photos = Annotated[int, typer.Option(help="Photos, noise included.")]
Dim = Annotated[int, typer.Option(help="Length of the drawn embeddings.")]
Networks = Annotated[list[str], typer.Option("--network", help="A backbone to measure; may be repeated.")]
Turns = Annotated[int, typer.Option(help="Repetitions of each measurement.")]
