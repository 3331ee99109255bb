"""The reasons why photos are removed or relabelled, and the kinds of findings, each described in one line."""

REMOVED = {
    "erased": "the person asked to be removed: no face of the photo is kept",
    "unreadable": "the file is not a picture: empty, cut short, or a web page",
    "no_face": "no face was detected",
    "poor": "the face is a few pixels wide, blurred or covered: nobody can be recognised",
    "outlier": "the face is not the person of its claimed identity",
    "mixed": "no person could be found among the photos of its claimed identity",
    "misplaced": "the face is the person of another identity, which is not kept either",
    "duplicate": "another photo of its claimed identity is the same picture, and is kept",
    "conflict": "the same picture is claimed by two identities",
    "overlap": "the person, or the picture, is in a test set",
    "too_few": "too few photos of its identity are left",
    "unnamed": "the source claims no identity for it",
    "random": "drawn at random, to leave a data set of a given size",
}
RELABELLED = {
    "merge": "its claimed identity and another one are one person: the two are merged",
    "misplaced": "the face is the person of another identity",
    "split": "the face is a second person under its claimed identity, who gets an identity of its own",
}
FINDINGS = {
    "erased": "a photo that was erased on request",
    "outlier": "a photo that is not the person of its claimed identity",
    "misplaced": "a photo that is the person of another identity",
    "merge": "one person under two identities",
    "split": "two persons under one identity",
    "duplicate": "the same picture twice under one identity",
    "conflict": "the same picture under two identities",
    "overlap": "a person, or a picture, that is also in a test set",
    "mixed": "an identity among whose photos no person is found",
    "poor": "a face in which nobody can be recognised: too small, blurred or covered",
    "hub": "a person whom photos of many identities match: people are asked, nothing is relabelled",
    "no_face": "a photo in which no face was detected",
    "unreadable": "a file that is not a picture",
}
