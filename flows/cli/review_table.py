"""The commands of `refinery review`, as rows of the command table."""

from flows.cli.command import CommandEntry

REVIEW = "Review"

REVIEWS = (
    CommandEntry(
        "review",
        REVIEW,
        "",
        "Let people decide uncertain cases: serve, send, collect, status, undo.",
        "refinery review send ROOT --groups groups.csv",
    ),
    CommandEntry(
        "review serve",
        REVIEW,
        "flows.review.label_server:serve",
        "Run a Label Studio on this machine; the first time it is installed (1 GB).",
        "refinery review serve ROOT --port 8080",
    ),
    CommandEntry(
        "review send",
        REVIEW,
        "flows.review.flow:send",
        "Send the questions that are worth most to Label Studio.",
        "refinery review send ROOT --groups groups.csv --budget 500",
    ),
    CommandEntry(
        "review collect",
        REVIEW,
        "flows.review.flow:collect",
        "Collect the answers: into the ledger, then into the labels.",
        "refinery review collect ROOT",
    ),
    CommandEntry(
        "review status",
        REVIEW,
        "flows.review.flow:status",
        "Show the queue of each group, agreement of annotators, and the noise left.",
        "refinery review status ROOT",
    ),
    CommandEntry(
        "review undo",
        REVIEW,
        "flows.review.undo:undo",
        "Withdraw answers of an annotator, or about one finding, and make the labels again.",
        "refinery review undo ROOT --by ann@example.org --since 2026-03-01",
    ),
)
