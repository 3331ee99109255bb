"""The Label Studio templates of the three kinds of pages, GRID, PAIR and MIXED.

The data of a task fills a template (see page_data); answers come back with the names of the controls defined here.
"""

from pipeline.review.questions.question import GRID, MIXED, PAIR

TITLES = {GRID: "who does not belong?", PAIR: "the same person?", MIXED: "which show one person?"}
# names of the controls, with which answers come back; after CELL and TICK comes the photo's place on the page
CELL, SAME, KNOWS, TICK = "cell_", "same", "knows", "tick_"
FACE, TITLE = "face_", "title"  # names of the image and of the text that controls belong to; after FACE comes the place

# Label Studio reserves room beside a page for regions and relations; these pages have none, so the faces get that room.
# Clicks on a choice that is set already are ignored: they would only take the focus away from the keyboard.
STYLE = r"""<Style>
.lsf-sidepanels { padding-left: 0 !important; padding-right: 0 !important; }
.lsf-sidepanels__wrapper, .lsf-toolbar { display: none !important; }
.lsf-choice .ant-radio-wrapper-checked { pointer-events: none; }
.lsf-richtext__line { font-size: 22px; font-weight: 600; }
.lsf-hint { font-size: 12px; top: 0; margin-left: 8px; padding: 0 5px; border: 1px solid #999; border-radius: 4px; }
.face .lsf-object { padding: 0; display: block; }
.top { position: sticky; top: 0; z-index: 9; padding: 4px 12px 6px; border-left: 6px solid #2a9d4a;
  background: var(--color-neutral-background, #fff); border-bottom: 1px solid #bbb; margin-bottom: 8px; }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: 0 50px; }
.strip { display: grid; grid-template-columns: repeat(6, minmax(0, 190px)); gap: 8px; }
.cells { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); gap: 12px; }
.cell { border: 1px solid #bbb; border-radius: 8px; padding: 8px; height: 100%; box-sizing: border-box; }
.cell h4, .top h4 { font-size: 14px; font-weight: 400; margin: 4px 0 0 !important; }
.lsf-choices { margin: 2px 0 0; }
.sides { display: flex; gap: 20px; }
.side { flex: 1; border: 1px solid #bbb; border-radius: 8px; padding: 8px; }
.faces { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(210px, 100%), 1fr)); gap: 8px; }
.large .ant-collapse { border: 0; background: none; }
.large .ant-collapse-header { padding: 0 !important; font-size: 12px; }
.large .ant-collapse-content-active { position: fixed; inset: 0; z-index: 998;
  background: rgba(0, 0, 0, .9) !important; }
.large .ant-collapse-content-active .lsf-image { position: fixed; inset: 56px 8px 60px; }
.large .ant-collapse-content-active .lsf-image { width: auto !important; height: auto !important; }
.large .lsf-image img { width: 100% !important; height: 100% !important; object-fit: contain; clip: auto !important;
  transform: none !important; }
.large .konvajs-content, .large canvas, .large .lsf-toolbar { display: none !important; }
.large .ant-collapse-item-active .ant-collapse-header { position: fixed; top: 60px; left: 12px; z-index: 999;
  padding: 6px 14px !important; border-radius: 6px; background: #fff; color: #000 !important; font-size: 15px; }
.large .ant-collapse-item-active .ant-collapse-header::after { content: "\00a0(close)"; }
h3 { font-size: 17px !important; line-height: 1.3 !important; margin: 4px 0 !important; }
@media (max-width: 640px) {
  .lsf-editor { width: 100% !important; min-width: 0 !important; }
  .lsf-main-view__annotation { padding: 6px !important; }
  .lsf-richtext__line { font-size: 16px; }
  .lsf-history-buttons, .lsf-current-task__task-count { display: none !important; }
  .lsf-bottombar, .lsf-bottombar__group, .lsf-bottombar__section { min-width: 0 !important; }
  .lsf-bottombar button { min-width: 0 !important; }
  .sides { flex-direction: column; gap: 8px; }
  .faces { grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
  .row { gap: 0 16px; }
  .strip { gap: 3px; }
  .lsf-hint { display: none; }
  h3 { font-size: 15px !important; }
}
</Style>"""
NO_CONTROLS = "".join(
    f' {c}="false"'
    for c in ("zoom", "zoomControl", "brightnessControl", "contrastControl", "rotateControl", "selectionControl")
)


def _large(name: str, picture: str) -> str:
    """A line that opens a photo over the whole window and, clicked again, closes it; picture: where its address is."""
    return f"""<View className="large"><Collapse bordered="false"><Panel value="large photo">
        <Image name="{name}" value="{picture}"{NO_CONTROLS}/>
      </Panel></Collapse></View>"""


def _faces(side: str) -> str:
    """The photos of one side of a pair; side: left or right."""
    return f"""<Repeater on="${side}" indexFlag="{{{{at}}}}" className="faces">
        <View>
          <View className="face"><Image name="{side}_{{{{at}}}}" value="${side}[{{{{at}}}}]"{NO_CONTROLS}/></View>
          {_large(f"{side}_large_{{{{at}}}}", f"${side}_large[{{{{at}}}}]")}
        </View>
      </Repeater>"""


def _knows(question: str) -> str:
    """The question whether the annotator knows the person, which is not required."""
    return f"""<View>
      <Header value="{question}" size="4"/>
      <Choices name="{KNOWS}" toName="{TITLE}" choice="single-radio" showInline="true">
        <Choice value="yes" hotkey="y"/><Choice value="no" hotkey="n"/>
      </Choices>
    </View>"""


TAKEN_BACK = "The key of a choice that is set already takes it back."  # an annotator who agrees may press it
PAGES = {
    GRID: f"""<View>
  {STYLE}
  <Text name="{TITLE}" value="$title" valueType="text"/>
  <View className="top">
    <View className="row">
      <Header value="This is the person:" size="4"/>
      {_knows("Do you know the person in this top row?")}
    </View>
    <Repeater on="$left" indexFlag="{{{{at}}}}" className="strip">
      <View className="face"><Image name="left_{{{{at}}}}" value="$left[{{{{at}}}}]"{NO_CONTROLS}/></View>
    </Repeater>
  </View>
  <Header value="Does each photo below show the person in the top row, or someone else?" size="4"/>
  <Repeater on="$items" indexFlag="{{{{at}}}}" className="cells">
    <View className="cell">
      <View className="face"><Image name="{FACE}{{{{at}}}}" value="$items[{{{{at}}}}].picture"{NO_CONTROLS}/></View>
      {_large("large_{{at}}", "$items[{{at}}].large")}
      <Header value="$items[{{{{at}}}}].words" size="6"/>
      <Choices name="{CELL}{{{{at}}}}" toName="{FACE}{{{{at}}}}" value="$items[{{{{at}}}}].choices"
        choice="single-radio" required="true" requiredMessage="Please answer for every face. {TAKEN_BACK}"/>
    </View>
  </Repeater>
</View>""",
    PAIR: f"""<View>
  {STYLE}
  <Text name="{TITLE}" value="$title" valueType="text"/>
  <View className="top">
    <View className="row">
      <View>
        <Header value="Do both sides show the same person?" size="4"/>
        <Choices name="{SAME}" toName="{TITLE}" choice="single-radio" showInline="true" required="true"
          requiredMessage="Please say whether both sides show the same person. {TAKEN_BACK}">
          <Choice value="the same person" alias="same" hotkey="1"/>
          <Choice value="two different people" alias="different" hotkey="2"/>
          <Choice value="cannot tell" alias="unsure" hotkey="3"/>
        </Choices>
      </View>
      {_knows("Do you know the person on either side?")}
    </View>
    <Header value="$words" size="6"/>
  </View>
  <View className="sides">
    <View className="side">
      <Header value="$left_name" size="4"/>
      {_faces("left")}
    </View>
    <View className="side">
      <Header value="$right_name" size="4"/>
      {_faces("right")}
    </View>
  </View>
</View>""",
    MIXED: f"""<View>
  {STYLE}
  <Text name="{TITLE}" value="$title" valueType="text"/>
  <View className="top">
    <View className="row">
      <View>
        <Header value="Which of these photos show one and the same person? Tick all of them, or choose:" size="4"/>
        <Choices name="{SAME}" toName="{TITLE}" choice="single-radio" showInline="true">
          <Choice value="no two photos show the same person" alias="different" hotkey="x"/>
          <Choice value="cannot tell" alias="unsure" hotkey="c"/>
        </Choices>
      </View>
      {_knows("Do you know the person whom you ticked?")}
    </View>
  </View>
  <Repeater on="$left" indexFlag="{{{{at}}}}" className="cells">
    <View className="cell">
      <View className="face"><Image name="{FACE}{{{{at}}}}" value="$left[{{{{at}}}}]"{NO_CONTROLS}/></View>
      {_large("large_{{at}}", "$left_large[{{at}}]")}
      <Choices name="{TICK}{{{{at}}}}" toName="{FACE}{{{{at}}}}" value="$ticks[{{{{at}}}}]" choice="multiple"/>
    </View>
  </Repeater>
</View>""",
}
