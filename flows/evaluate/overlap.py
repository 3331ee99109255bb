"""The people who are in the training data and in its test sets, as a refinement found them."""

from pipeline.errors import UserError
from pipeline.refinement import latest


def people_in_both(root: str) -> frozenset[str]:
    """Who of a refinement's test sets is in its training data: identities and, of unnamed photos, face_ids.

    Raises UserError where the refinement had no test set.
    """
    refinement = latest(root)
    if not refinement.test_faces:
        raise UserError(
            f"{root} was refined without a test set, so nobody looked for who is in both: refine it with --test-set"
        )
    findings = refinement.judged_findings.read(["kind", "object"]).to_pylist()
    verdicts = refinement.decisions.read(["verdict"])["verdict"].to_pylist()
    return frozenset(
        str(finding["object"])
        for finding, verdict in zip(findings, verdicts, strict=True)
        if finding["kind"] == "overlap" and verdict == "yes"
    )
