"""Whether the labels in the headers of a RecordIO file can be believed, and warnings about them.

Some tools write labels only into the .lst and leave 0 in every header; then those of the .lst are used. Otherwise
labels are compared with those of the .lst and with the folders of its titles, on records spread evenly over the file.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.sources.files import FileStamp
from pipeline.sources.record_io import codec
from pipeline.sources.record_io.codec import DamagedRecord
from pipeline.sources.record_io.companions import CompanionStamps, Int64, listed_labels, records_of

COMPARED = 2000  # records
MAX_OTHER_FOLDER = 0.2  # share of records; an export of relabelled photos has some under another label than its folder


def only_listed(file: Path, rec: FileStamp, stamps: CompanionStamps) -> bool:
    """Whether all headers compared hold the same label, and the .lst gives these records several."""
    label_of = _header_labels(file, rec, stamps)
    return len(set(label_of.values())) == 1 and len(_listed(file, stamps, label_of)) > 1


def _listed(file: Path, stamps: CompanionStamps, label_of: Mapping[int, float]) -> set[float]:
    """The labels that the .lst gives to some records."""
    return {label for label, _ in listed_labels(file, stamps, np.array(list(label_of), np.int64)).values()}


def label_warnings(file: Path, rec: FileStamp, stamps: CompanionStamps) -> list[str]:
    """One line, or none, about labels in the headers of a .rec that disagree with its .lst, or are all the same."""
    label_of = _header_labels(file, rec, stamps)
    listed = listed_labels(file, stamps, np.array(list(label_of), np.int64))
    if only_listed(file, rec, stamps):
        label, lst = next(iter(label_of.values())), file.with_suffix(".lst").name
        return [f"{file.name}: all {len(label_of)} records compared have the label {label:g}: those of {lst} are used"]
    labels = [label_of[number] for number in listed]
    faults = []
    if len(label_of) > 1 and len(set(label_of.values())) == 1:
        faults.append(f"all records have the label {next(iter(label_of.values())):g}")
    differ = sum(label != listed_label for label, (listed_label, _) in zip(labels, listed.values(), strict=True))
    if differ:
        faults.append(f"{differ} of {len(labels)} labels differ from those in {file.with_suffix('.lst').name}")
    folders = [str(PurePosixPath(title).parent) for _, title in listed.values()]
    if len(set(folders)) > 1:
        apart = len(labels) - _in_main_folder(list(zip(labels, folders, strict=True)))
        if apart > MAX_OTHER_FOLDER * len(labels):
            faults.append(f"{apart} of {len(labels)} records share a label with another folder of the .lst")
    if not faults:
        return []
    compared = f" (of {len(label_of)} records compared)" if len(label_of) == COMPARED else ""
    used = "the labels in the headers are used: if they are wrong, write the file again with the right ones"
    return [f"{file.name}: {', and '.join(faults)}{compared}; {used}"]


def _in_main_folder(pairs: Sequence[tuple[float, str]]) -> int:
    """How many records are in the folder from which most records with their label come."""
    folders: dict[float, Counter[str]] = {}
    for label, folder in pairs:
        folders.setdefault(label, Counter())[folder] += 1
    return sum(max(counts.values()) for counts in folders.values())


def _header_labels(file: Path, rec: FileStamp, stamps: CompanionStamps) -> dict[int, float]:
    """The label in the header of at most COMPARED records, by the record's number."""
    records = records_of(str(file), rec, stamps)
    rows: Int64 = np.unique(np.linspace(0, len(records.offsets) - 1, COMPARED).astype(np.int64))
    labels: dict[int, float] = {}
    with open(file, "rb") as stream:
        for row in rows.tolist():
            try:
                header, has_payload, _ = codec.read_head(stream.fileno(), int(records.offsets[row]), rec.size)
            except DamagedRecord:  # its photo gets a failure
                continue
            if not (records.has_identity_ranges and header.flag == 2 and not has_payload):
                labels[int(records.numbers[row])] = header.labels[0]
    return labels
