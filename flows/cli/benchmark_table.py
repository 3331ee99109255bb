"""The commands of `refinery benchmark`, as rows of the command table."""

from flows.cli.command import MODELS, CommandEntry

MEASURE = "Measure"

BENCHMARKS = (
    CommandEntry(
        "benchmark",
        MEASURE,
        "",
        "Measure this machine, beside a limit or another method in the same run.",
        "refinery benchmark device --half",
    ),
    CommandEntry(
        "benchmark startup",
        MEASURE,
        "flows.benchmark.startup:startup",
        "CPU and memory of --help, --version and labels, beside bare Python.",
        "refinery benchmark startup",
    ),
    CommandEntry(
        "benchmark refine",
        MEASURE,
        "flows.benchmark.refine:refine",
        "Photos per second of refinements and their steps, beside the bare models.",
        f"refinery benchmark refine image-folder PHOTOS {MODELS}",
    ),
    CommandEntry(
        "benchmark train",
        MEASURE,
        "flows.benchmark.training:train",
        "Images per second of the training loop beside the bare network's.",
        "refinery benchmark train refined --network iresnet18",
    ),
    CommandEntry(
        "benchmark device",
        MEASURE,
        "flows.benchmark.device:device",
        "Embedding, exact search and Partial FC on the GPU, where there is one.",
        "refinery benchmark device --half",
    ),
    CommandEntry(
        "benchmark world",
        MEASURE,
        "flows.benchmark.world:world",
        "Draw embeddings without pixels, with known noise, for noise and peers.",
        "refinery benchmark world --out drawn --identities 1000 --faces 100000",
    ),
    CommandEntry(
        "benchmark noise",
        MEASURE,
        "flows.benchmark.noise:noise",
        "Every noise stage on a drawn world: time, memory, precision and recall.",
        "refinery benchmark noise drawn",
    ),
    CommandEntry(
        "benchmark search",
        MEASURE,
        "flows.benchmark.search:search",
        "Our search among very many persons beside faiss's: time and misses.",
        "refinery benchmark search --persons 100000",
    ),
    CommandEntry(
        "benchmark peers",
        MEASURE,
        "flows.benchmark.peers:peers",
        "The pipeline beside DBSCAN, cleanlab, and faiss with connected components.",
        "refinery benchmark peers drawn",
    ),
    CommandEntry(
        "benchmark figures",
        MEASURE,
        "flows.benchmark.figures:figures",
        "The ArcFace paper's figures and Table 3 for models trained on refined data.",
        "refinery benchmark figures ROOT --out figures --test-set lfw --detector scrfd.onnx",
    ),
    CommandEntry(
        "benchmark losses",
        MEASURE,
        "flows.benchmark.training:losses",
        "The same recipe with every loss, compared on a test set.",
        "refinery benchmark losses ROOT --test-set lfw.bin",
    ),
    CommandEntry(
        "benchmark cleaning",
        MEASURE,
        "flows.benchmark.cleaning:cleaning",
        "Ways to clean without a pretrained model, on a world whose truth is known.",
        "refinery benchmark cleaning ROOT --world world",
    ),
    CommandEntry(
        "benchmark megaface",
        MEASURE,
        "flows.benchmark.megaface:megaface",
        "Identification among a million drawn distractors, beside bare faiss.",
        "refinery benchmark megaface --distractors 1000000",
    ),
    CommandEntry(
        "benchmark quality",
        MEASURE,
        "flows.benchmark.face_quality.error_versus_reject:quality",
        "How well the quality of faces foretells that a genuine pair scores low.",
        "refinery benchmark quality ROOT --test-set lfw/pairs.txt",
    ),
    CommandEntry(
        "benchmark unrecognisable",
        MEASURE,
        "flows.benchmark.face_quality.planted_faces:unrecognisable",
        "Thumbnails, blur and helmets planted in a data set whose truth is known.",
        f"refinery benchmark unrecognisable --out planted --world world {MODELS}",
    ),
    CommandEntry(
        "benchmark review",
        MEASURE,
        "flows.benchmark.review:review",
        "Noise left against questions asked, with simulated annotators.",
        "refinery benchmark review ROOT --world world",
    ),
)
