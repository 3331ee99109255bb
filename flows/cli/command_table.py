"""The command table: the name, function, summary and example of every command of `refinery`.

Reading the table imports no command. Its order is the order of the list in `refinery --help`.
"""

from flows.cli.benchmark_table import BENCHMARKS
from flows.cli.command import MODELS, CommandEntry
from flows.cli.review_table import REVIEWS

START, DATA = "Start here", "Data in and out"
TRAIN, SCHEDULE = "Train and evaluate", "Schedule"

COMMANDS = (
    CommandEntry(
        "demo",
        START,
        "flows.sample.flow:demo",
        "The whole loop on drawn people: refine, train before and after, compare. Offline, minutes.",
        "refinery demo --out demo",
    ),
    CommandEntry(
        "refine",
        START,
        "flows.refine.flow:refine",
        "Find and remove what is wrong in a face data set; every photo is accounted for.",
        f"refinery refine ROOT image-folder PHOTOS {MODELS}",
    ),
    CommandEntry(
        "report",
        START,
        "flows.report.flow:report",
        "One HTML file: where every photo went and why, thresholds, faces of every kind of finding.",
        "refinery report ROOT --out report.html",
    ),
    CommandEntry(
        "browse",
        START,
        "flows.browse.flow:browse",
        "Look at every person and photo in the browser, and put wrong ones right.",
        "refinery browse ROOT --who ann@example.org",
    ),
    CommandEntry(
        "find",
        START,
        "flows.find.flow:find",
        "Rank the photos of a set by their score with the face in one photo.",
        "refinery find ROOT PHOTO --out found.png",
    ),
    CommandEntry(
        "doctor",
        START,
        "flows.doctor.flow:doctor",
        "What this machine has and lacks: Python, memory, disk, GPU, Label Studio, Prefect.",
        "refinery doctor ROOT",
    ),
    CommandEntry(
        "labels",
        DATA,
        "flows.refine.labels:labels",
        "Write one row for every photo: key, claimed, identity, reason, score.",
        "refinery labels ROOT --out labels.tsv",
    ),
    CommandEntry(
        "plant",
        DATA,
        "flows.sample.plant:plant",
        "Plant noise of every kind in your own clean photos, with the truth beside them.",
        f"refinery plant image-folder PHOTOS --out planted --mix ms-celeb {MODELS}",
    ),
    CommandEntry(
        "score",
        DATA,
        "flows.refine.score:score",
        "Score a refinement against a known truth: noise found, clean photos lost, merges, splits.",
        "refinery score ROOT world",
    ),
    CommandEntry(
        "export",
        DATA,
        "flows.refine.export:export",
        "Write the refined data set for trainers, the Hugging Face hub, WebDataset or FiftyOne.",
        "refinery export ROOT --out refined --format recordio",
    ),
    CommandEntry(
        "apply-list",
        DATA,
        "flows.refine.apply_list:apply_list",
        "Record a published clean list as decisions, which people's answers overrule.",
        "refinery apply-list ROOT clean_list.txt --says right",
    ),
    CommandEntry(
        "patch",
        DATA,
        "",
        "Labels as a patch for another copy of the same data set: make, apply, merge.",
        "refinery patch make ROOT --out labels.patch",
    ),
    CommandEntry(
        "patch make",
        DATA,
        "flows.refine.patches.make:make",
        "Write what became of each photo, for other copies of the data set.",
        "refinery patch make ROOT --out labels.patch",
    ),
    CommandEntry(
        "patch apply",
        DATA,
        "flows.refine.patches.apply:apply",
        "Record the patch of another copy as decisions, which people's answers overrule.",
        "refinery patch apply ROOT labels.patch",
    ),
    CommandEntry(
        "patch merge",
        DATA,
        "flows.refine.patches.merge:merge",
        "Make one patch of several, and list the photos about which they differ.",
        "refinery patch merge mine.patch yours.patch --out both.patch",
    ),
    CommandEntry(
        "verify",
        DATA,
        "flows.refine.verify:verify",
        "Check every file of a root or an export against the digest with which it was written.",
        "refinery verify ROOT",
    ),
    CommandEntry(
        "clean",
        DATA,
        "flows.refine.clean:clean",
        "Remove the tables of a root to which no finished work refers.",
        "refinery clean ROOT --dry-run",
    ),
    CommandEntry(
        "erase",
        DATA,
        "flows.erase.flow:erase",
        "Erase a person on request from all that a root holds, with a receipt.",
        'refinery erase ROOT --photo FACE.jpg --reason "request of 2026-11-29" --yes',
    ),
    CommandEntry(
        "calibrate",
        DATA,
        "flows.refine.calibration.flow:calibrate",
        "Keep embeddings of other people by an embedder, for thresholds of data with few identities.",
        "refinery calibrate arcface.onnx PATH --detector scrfd.onnx",
    ),
    CommandEntry(
        "sample",
        DATA,
        "",
        "Draw the sample world, or train its two small models.",
        "refinery sample world --out world",
    ),
    CommandEntry(
        "sample world",
        DATA,
        "flows.sample.models:world",
        "Draw people in photos with planted noise, the truth beside them, and a test set.",
        "refinery sample world --out world --people 80 --photos 1200",
    ),
    CommandEntry(
        "sample models",
        DATA,
        "flows.sample.models:models",
        "Train the sample world's detector and embedder (half an hour on two cores).",
        "refinery sample models --out models",
    ),
    *REVIEWS,
    CommandEntry(
        "train",
        TRAIN,
        "flows.train.flow:train_recipe",
        "Train a recipe on a refined data set; a stopped training goes on.",
        "refinery train refined --recipe casia_r50 --out run --test-set lfw.bin",
    ),
    CommandEntry(
        "evaluate",
        TRAIN,
        "flows.evaluate.flow:evaluate",
        "Measure a model on test sets, beside other models, with 95% intervals.",
        "refinery evaluate model.onnx --test-set lfw.bin --against arcface.onnx",
    ),
    CommandEntry(
        "experiment",
        TRAIN,
        "flows.train.experiment:experiment",
        "Train on the data before refining, after it, and on a random subset; compare.",
        "refinery experiment ROOT --test-set lfw.bin --seeds 3",
    ),
    CommandEntry(
        "self-train",
        TRAIN,
        "flows.train.self_training:self_train",
        "Refine without a pretrained embedder: train on the noisy labels, refine, repeat.",
        "refinery self-train ROOT image-folder PHOTOS --detector scrfd.onnx",
    ),
    CommandEntry(
        "megaface",
        TRAIN,
        "flows.evaluate.megaface.noise_lists:megaface",
        "List the noisy photos of a refined MegaFace; measure with and without them.",
        "refinery megaface ROOT --out lists",
    ),
    CommandEntry(
        "half-precision",
        TRAIN,
        "flows.evaluate.half_precision:half_precision",
        "Write an embedder in half precision, and measure how its cosines change.",
        "refinery half-precision arcface.onnx --out half.onnx --test-set lfw.bin",
    ),
    CommandEntry(
        "serve",
        SCHEDULE,
        "flows.schedule.serve:serve",
        "Refine, send questions, collect answers and export on schedules, until Ctrl-C.",
        f'refinery serve ROOT image-folder PHOTOS {MODELS} --out export --refine-cron "0 3 * * *"',
    ),
    *BENCHMARKS,
)
