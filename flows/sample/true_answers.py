"""The true answers to findings: those of an annotator who knows the person in every photo."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.refined.scoring.known_truth import Truth
from pipeline.refinement import Refinement
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.questions.finding_ref import FindingRef, finding_ref
from pipeline.review.questions.persons import identities_without_person, read_medoids, read_person_records


@dataclass(frozen=True)
class TruePersons:
    """The true person of each face, of each person of a refinement, and of each claimed identity."""

    person_of: Mapping[str, str]  # by face_id, by the name of a person of the refinement, and by claimed identity
    mixed: frozenset[str]  # claimed identities without a person who has the most photos

    def answer(self, finding: FindingRef) -> str | None:
        """The answer yes or no to a finding; None for a kind of finding that the true persons do not answer.

        An example of such a kind is a picture under two identities.
        """
        kind, subject, object_name = finding.kind, self.person_of.get(finding.subject), finding.object or ""
        # a person of a test set is not in person_of: the name of its folder is the true name
        other = self.person_of.get(object_name, object_name)
        if kind in ("misplaced", "merge", "overlap"):
            return "yes" if subject == other else "no"
        if kind in ("outlier", "split"):
            return "no" if subject == other else "yes"
        if kind == "mixed":
            return "yes" if finding.subject in self.mixed else "no"
        return None


def true_persons(refinement: Refinement, truth: Truth) -> TruePersons:
    """The true persons of a refinement's faces, persons and claimed identities.

    The true person of a refinement's person is the one in the photo of its medoid. For an identity in which the
    refinement found no person, it is the one with the most photos of the identity.
    """
    photos = refinement.labels.read(["face_id", "key", "claimed"]).to_pylist()
    person_of_key = dict(zip(truth.keys, truth.person, strict=True))
    person_of = {photo["face_id"]: person_of_key[photo["key"]] for photo in photos}
    persons = read_person_records(refinement)
    person_of |= {name: person_of[person.medoid] for name, person in persons.items()}
    counts_of: dict[str, Counter[str]] = {}
    for photo in photos:
        counts_of.setdefault(photo["claimed"], Counter())[person_of[photo["face_id"]]] += 1
    person_of |= {name: counts_of[name].most_common(1)[0][0] for name in identities_without_person(persons)}
    return TruePersons(person_of, frozenset(name for name, counts in counts_of.items() if not _has_main_person(counts)))


def true_answers(refinement: Refinement, truth: Truth) -> list[LedgerRow]:
    """The true answer to each finding that is undecided, as rows for the ledger."""
    verdicts = refinement.decisions.read(["verdict"])["verdict"].to_pylist()
    columns = ("kind", "subject", "object")
    findings = refinement.judged_findings.read(columns)
    persons, medoids = true_persons(refinement, truth), read_medoids(refinement)
    rows = zip(*(findings[c].to_pylist() for c in columns), strict=True)
    refs = [finding_ref(kind, subject, other, medoids) for kind, subject, other in rows]
    return [
        LedgerRow(finding, answer, who="truth", purpose="truth", answer_id="truth")
        for finding, verdict in zip(refs, verdicts, strict=True)
        if verdict == "unsure" and (answer := persons.answer(finding))
    ]


def _has_main_person(photos: Counter[str]) -> bool:
    """Whether one person has at least two photos, and more than any other person; photos: their number by person."""
    first, second = (*photos.most_common(2), ("", 0))[:2]
    return first[1] > max(1, second[1])
