"""The options that several commands of the review share: Label Studio, the questions and who answers them."""

from typing import Annotated

import typer

ProposeGroups = Annotated[
    bool,
    typer.Option(
        "--propose-groups", help="Give identities without a group the group that most of their neighbours have."
    ),
]
Roster = Annotated[
    str, typer.Option(help="CSV with columns group and annotator: whom to assign, where the server can.")
]
Budget = Annotated[
    int,
    typer.Option(
        help="Most questions that may wait for an answer, audited photos included; the most useful ones come first."
    ),
]
Minutes = Annotated[
    float, typer.Option(help="Most minutes of annotators' time that waiting questions may take; 0: no limit.")
]
Votes = Annotated[int, typer.Option(help="Annotators for each question; one more where they differ.")]
Audit = Annotated[
    int,
    typer.Option(
        help="Kept photos drawn at random, to estimate the noise left; at most two fifths of the budget while other "
        "cases fill the rest."
    ),
]
Url = Annotated[
    str,
    typer.Option(
        envvar="LABEL_STUDIO_URL",
        show_envvar=False,
        help="Address of Label Studio; default: LABEL_STUDIO_URL, or the one that `review serve ROOT` started.",
    ),
]
ProjectName = Annotated[
    str,
    typer.Option(
        "--name", help="Name of the review, which its projects in Label Studio show; default: the root's name."
    ),
]
