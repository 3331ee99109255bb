"""The people who are both in the training data and in the test sets of a refinement."""

from pipeline.errors import UserError
from pipeline.refinement import latest


def people_in_both(root: str) -> frozenset[str]:
    """The people of a refinement's test sets who are in its training data: identities, and face_ids of unnamed photos.

    Raises UserError where the refinement had no test set.
    """
    refinement = latest(root)
    if not refinement.test_faces:
        raise UserError(
            f"{root} was refined without a test set, so people in both are not known: refine it with --test-set"
        )
    findings = refinement.judged_findings.read(["kind", "object"]).to_pylist()
    verdicts = refinement.decisions.read(["verdict"])["verdict"].to_pylist()
    return frozenset(
        str(finding["object"])
        for finding, verdict in zip(findings, verdicts, strict=True)
        if finding["kind"] == "overlap" and verdict == "yes"
    )
