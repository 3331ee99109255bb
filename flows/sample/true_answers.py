"""What somebody who knows every person of a data set would answer: the known truth in place of annotators."""

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
    """The true person behind everything that a finding can name."""

    of: Mapping[str, str]  # by face_id, by the name of a person of the refinement, and by claimed identity
    mixed: frozenset[str]  # claimed identities in which no person has more photos than every other

    def answer(self, finding: FindingRef) -> str | None:
        """yes or no to a finding; None where the truth has no answer, as to which identity a shared picture is of."""
        kind, subject, named = finding.kind, self.of.get(finding.subject), finding.object or ""
        other = self.of.get(named, named)  # a person of a test set is called by its own name
        if kind in ("misplaced", "merge", "overlap"):
            return "yes" if subject == other else "no"
        if kind in ("outlier", "split"):
            return "no" if subject == other else "yes"
        if kind == "mixed":
            return "yes" if finding.subject in self.mixed else "no"
        return None


def true_persons(refinement: Refinement, truth: Truth) -> TruePersons:
    """The true persons of a refinement's faces, persons and claimed identities.

    A person of the refinement is the one whom its medoid shows; an identity in which the refinement found no person is
    whoever has most of its photos.
    """
    photos = refinement.labels.read(["face_id", "key", "claimed"]).to_pylist()
    person_of_key = dict(zip(truth.keys, truth.person, strict=True))
    of = {photo["face_id"]: person_of_key[photo["key"]] for photo in photos}
    persons = read_person_records(refinement)
    of |= {name: of[person.medoid] for name, person in persons.items()}
    shown: dict[str, Counter[str]] = {}
    for photo in photos:
        shown.setdefault(photo["claimed"], Counter())[of[photo["face_id"]]] += 1
    of |= {name: shown[name].most_common(1)[0][0] for name in identities_without_person(persons)}
    return TruePersons(of, frozenset(name for name, persons in shown.items() if not _has_a_person(persons)))


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


def _has_a_person(photos: Counter[str]) -> bool:
    """Whether one person has two photos at least, and more than any other."""
    first, second = (*photos.most_common(2), ("", 0))[:2]
    return first[1] > max(1, second[1])
