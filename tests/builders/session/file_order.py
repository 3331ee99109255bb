"""The order in which files of tests are dealt out to the test processes, and which of them share a process."""

from xdist.scheduler import LoadFileScheduling

LONGEST_FILES = (  # over half a minute each; those that mostly wait for servers between those that compute
    "tests/flows/schedule/test_unattended.py",
    "tests/flows/refine/test_known_truth.py",
    "tests/flows/review/test_flow.py",
    "tests/pipeline/review/label_studio/test_faults.py",
    "tests/flows/review/test_browser.py",
    "tests/flows/sample/test_demo.py",
    "tests/flows/examples/test_examples.py",
    "tests/flows/schedule/test_failures.py",
    "tests/flows/cli/test_processes.py",
    "tests/flows/refine/test_same_bytes.py",
    "tests/chaos/soak/test_run.py",
    "tests/flows/report/test_flow.py",
    "tests/flows/benchmark/test_refine.py",
    "tests/flows/train/test_flow.py",
    "tests/flows/refine/test_sources.py",
    "tests/pipeline/sources/record_io/test_mxnet.py",
)
# files that share a process: they share one Label Studio, which takes eight CPU seconds to start, or one process with
# the heavy libraries to fork others from, which takes five
ONE_PROCESS = (
    ("tests/flows/schedule/test_unattended.py", "tests/flows/review/test_flow.py"),
    (
        "tests/flows/review/test_browser.py",
        "tests/flows/review/test_own_review.py",
        "tests/flows/review/test_erased_tasks.py",
        "tests/flows/review/test_gallery_decisions.py",
        "tests/chaos/test_annotator_attacks.py",
        "tests/pipeline/review/label_studio/",
    ),
    (
        "tests/flows/examples/test_examples.py",
        "tests/flows/refine/test_same_bytes.py",
        "tests/trainer/test_train.py",
        "tests/trainer/test_two_ranks.py",
        "tests/trainer/distributed/test_sync_norm.py",
        "tests/trainer/losses/test_objective_on_two_ranks.py",
    ),
)


class FilesByServer(LoadFileScheduling):
    """Gives each test process one file after the other, and files that share a process to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((f"process {i}" for i, names in enumerate(ONE_PROCESS) if file.startswith(names)), file)
