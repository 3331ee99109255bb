"""The two pages that annotators see, what fills them, and how their answers read: "who does not belong?", "the same?".

A page is a Label Studio template; the data of a task holds the words and the ids of all that is asked. Answers come
back under the names given here and are matched by the ids in the data; a seal over these tells whether the data is
still what was sent, so that a place on the page never decides what an answer is about.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pipeline.review.questions.question import CHOICES, GRID, PAIR, Question
from pipeline.schema import digest

TITLES = {GRID: "who does not belong?", PAIR: "the same person?"}
CELL, SAME, KNOWS = "cell_", "same", "knows"  # the names under which answers come back; a cell's ends with its place
SHOWS, TITLE = "face_", "title"  # and what they belong to
KEYS = "1234567890qwtiopasgjkzxcvb"  # of the cells, in order: without those that Label Studio or a browser needs
WORDS = {
    "other": ("someone else", ""),
    "same": ("this person", "shift+"),
    "unusable": ("no usable face", "alt+"),
    "unsure": ("cannot tell", "shift+alt+"),
}

# Label Studio keeps room beside a page for regions and relations, which these pages do not have: the faces get it. A
# click on what is chosen already would only take the keyboard away.
STYLE = """<Style>
.lsf-sidepanels { padding-left: 0 !important; padding-right: 0 !important; }
.lsf-sidepanels__wrapper, .lsf-toolbar { display: none !important; }
.lsf-choice .ant-radio-wrapper-checked { pointer-events: none; }
.lsf-richtext__line { font-size: 22px; font-weight: 600; }
.lsf-hint { font-size: 12px; top: 0; margin-left: 8px; padding: 0 5px; border: 1px solid #999; border-radius: 4px; }
.face .lsf-object { padding: 0; display: block; }
.top { position: sticky; top: 0; z-index: 9; padding: 4px 12px 6px; border-left: 6px solid #2a9d4a;
  background: var(--color-neutral-background, #fff); border-bottom: 1px solid #bbb; margin-bottom: 8px; }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: 0 50px; }
.strip { display: grid; grid-template-columns: repeat(6, minmax(90px, 190px)); gap: 8px; }
.cells { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 12px; }
.cell { border: 1px solid #bbb; border-radius: 8px; padding: 8px; height: 100%; box-sizing: border-box; }
.cell h4, .top h4 { font-size: 14px; font-weight: 400; margin: 4px 0 0 !important; }
.lsf-choices { margin: 2px 0 0; }
.sides { display: flex; gap: 20px; }
.side { flex: 1; border: 1px solid #bbb; border-radius: 8px; padding: 8px; }
.faces { display: grid; grid-template-columns: repeat(auto-fill, minmax(210px, 1fr)); gap: 8px; }
h3 { font-size: 17px !important; line-height: 1.3 !important; margin: 4px 0 !important; }
</Style>"""
PLAIN = "".join(
    f' {c}="false"'
    for c in ("zoom", "zoomControl", "brightnessControl", "contrastControl", "rotateControl", "selectionControl")
)
KNOWN = f"""<View>
      <Header value="Do you know this person?" size="4"/>
      <Choices name="{KNOWS}" toName="{TITLE}" choice="single-radio" showInline="true">
        <Choice value="yes" hotkey="y"/><Choice value="no" hotkey="n"/>
      </Choices>
    </View>"""

PAGES = {
    GRID: f"""<View>
  {STYLE}
  <Text name="{TITLE}" value="$title" valueType="text"/>
  <View className="top">
    <View className="row">
      <Header value="This person, as far as can be told" size="4"/>
      {KNOWN}
    </View>
    <Repeater on="$left" indexFlag="{{{{at}}}}" className="strip">
      <View className="face"><Image name="left_{{{{at}}}}" value="$left[{{{{at}}}}]"{PLAIN}/></View>
    </Repeater>
  </View>
  <Header value="Which of these show someone else? What is chosen already is the machine's view: correct it." size="4"/>
  <Repeater on="$items" indexFlag="{{{{at}}}}" className="cells">
    <View className="cell">
      <View className="face"><Image name="{SHOWS}{{{{at}}}}" value="$items[{{{{at}}}}].picture"{PLAIN}/></View>
      <Header value="$items[{{{{at}}}}].words" size="6"/>
      <Choices name="{CELL}{{{{at}}}}" toName="{SHOWS}{{{{at}}}}" value="$items[{{{{at}}}}].choices"
        choice="single-radio" required="true" requiredMessage="Please answer for every face."/>
    </View>
  </Repeater>
</View>""",
    PAIR: f"""<View>
  {STYLE}
  <Text name="{TITLE}" value="$title" valueType="text"/>
  <View className="top">
    <View className="row">
      <View>
        <Header value="Are both sides the same person?" size="4"/>
        <Choices name="{SAME}" toName="{TITLE}" choice="single-radio" showInline="true" required="true"
          requiredMessage="Please say whether both sides are the same person.">
          <Choice value="the same person" alias="same" hotkey="1"/>
          <Choice value="two different people" alias="different" hotkey="2"/>
          <Choice value="cannot tell" alias="unsure" hotkey="3"/>
        </Choices>
      </View>
      {KNOWN}
    </View>
    <Header value="$words" size="6"/>
  </View>
  <View className="sides">
    <View className="side">
      <Header value="$left_name" size="4"/>
      <Repeater on="$left" indexFlag="{{{{at}}}}" className="faces">
        <View className="face"><Image name="left_{{{{at}}}}" value="$left[{{{{at}}}}]"{PLAIN}/></View>
      </Repeater>
    </View>
    <View className="side">
      <Header value="$right_name" size="4"/>
      <Repeater on="$right" indexFlag="{{{{at}}}}" className="faces">
        <View className="face"><Image name="right_{{{{at}}}}" value="$right[{{{{at}}}}]"{PLAIN}/></View>
      </Repeater>
    </View>
  </View>
</View>""",
}


class Said(NamedTuple):
    """What one annotator said on one page: a choice by item id, whether the person is known, and what made no sense."""

    choices: dict[str, str]
    knows: bool | None
    strange: int


def data_of(question: Question, pictures: Mapping[str, str], faces: Mapping[str, str]) -> dict[str, Any]:
    """What fills a page.

    pictures, faces: addresses of the picture of each face, with the photo around it and without, by face_id.
    """
    side = faces if question.page == GRID else pictures
    items: list[dict[str, Any]] = [{"id": item.id, "words": item.explanation} for item in question.items]
    if question.page == GRID:
        for at, (item, row) in enumerate(zip(question.items, items, strict=True)):
            row |= {"face": item.face, "picture": pictures[item.face], "choices": _choices(at)}
    data = {
        "question": question.id,
        "page": question.page,
        "title": question.title or "no name",
        "left": [side[f] for f in question.left],
        "items": items,
        "seal": seal(question.page, question.id, (item.id for item in question.items)),
    }
    if question.page == PAIR:
        data |= {"right": [side[f] for f in question.right], "words": question.items[0].explanation}
        data |= {"left_name": question.left_name or "one", "right_name": question.right_name or "the other"}
    return data


def guessed(question: Question) -> list[dict[str, Any]]:
    """The machine's view as the page's first choices; where it has none, nothing is chosen."""
    if question.page == PAIR:
        guess = question.items[0].machine_verdict
        view = (
            {"yes": "same", "no": "different"} if question.same_means == "yes" else {"yes": "different", "no": "same"}
        )
        return [_chosen(SAME, TITLE, view[guess])] if guess in view else []
    view = {"yes": "other", "no": "same"}
    return [
        _chosen(f"{CELL}{at}", f"{SHOWS}{at}", view[item.machine_verdict])
        for at, item in enumerate(question.items)
        if item.machine_verdict in view
    ]


def read(data: Mapping[str, Any], results: Any) -> Said:
    """What results of an annotation say of the items of a task; the data must be `sealed`."""
    names = (
        {SAME: data["items"][0]["id"]}
        if data["page"] == PAIR
        else {f"{CELL}{at}": item["id"] for at, item in enumerate(data["items"])}
    )
    choices, knows, strange = {}, None, 0
    for result in results if isinstance(results, list) else [results]:
        name, chosen = _choice(result)
        if name == KNOWS and chosen in ("yes", "no"):
            knows = chosen == "yes"
        elif name in names and chosen in CHOICES[data["page"]]:
            choices[names[name]] = chosen
        else:
            strange += 1
    return Said(choices, knows, strange)


def _choice(result: Any) -> tuple[str, str]:
    """The name and the first choice of a result; empty words where it is none of ours."""
    try:
        name, chosen = result["from_name"], result["value"]["choices"][0]
    except (KeyError, TypeError, IndexError):
        return "", ""
    return (name, chosen) if isinstance(name, str) and isinstance(chosen, str) else ("", "")


def seal(page: str, question: str, items: Iterable[str]) -> str:
    """The address of what is asked, in the order in which it stands on the page."""
    return digest("page", page, question, *items)


def sealed(data: Any) -> bool:
    """Whether a task's data is still what was sent, as far as answers are concerned; False for tasks of others."""
    try:
        whole = data["seal"] == seal(data["page"], data["question"], [item["id"] for item in data["items"]])
        return bool(whole and data["items"] and data["page"] in PAGES)
    except (KeyError, TypeError, AttributeError, UnicodeEncodeError):
        return False


def _choices(at: int) -> list[dict[str, str]]:
    """The choices of a cell; beyond the last key the mouse remains.

    The value, which is not shown, differs from cell to cell: Label Studio names its buttons by it, and a browser takes
    buttons of one name for one group, of which a click on one that is chosen already would take the choice away.
    """
    key = KEYS[at : at + 1]
    return [
        {"value": f"{at + 1} {words}", "html": words, "alias": choice} | ({"hotkey": with_ + key} if key else {})
        for choice, (words, with_) in WORDS.items()
    ]


def _chosen(name: str, shown: str, choice: str) -> dict[str, Any]:
    return {"id": name, "from_name": name, "to_name": shown, "type": "choices", "value": {"choices": [choice]}}
