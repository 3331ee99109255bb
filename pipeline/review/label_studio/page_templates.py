"""The Label Studio templates of the two kinds of pages, GRID and PAIR.

The data of a task fills a template (see page_data); answers come back with the names of the controls defined here.
"""

from pipeline.review.questions.question import GRID, PAIR

TITLES = {GRID: "who does not belong?", PAIR: "the same person?"}
# names of the controls, with which answers come back; after CELL comes the cell's place on the page
CELL, SAME, KNOWS = "cell_", "same", "knows"
FACE, TITLE = "face_", "title"  # names of the image and of the text that controls belong to; after FACE comes the place

# Label Studio reserves room beside a page for regions and relations; these pages have none, so the faces get that room.
# Clicks on a choice that is set already are ignored: they would only take the focus away from the keyboard.
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
NO_CONTROLS = "".join(
    f' {c}="false"'
    for c in ("zoom", "zoomControl", "brightnessControl", "contrastControl", "rotateControl", "selectionControl")
)
KNOWS_QUESTION = f"""<View>
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
      {KNOWS_QUESTION}
    </View>
    <Repeater on="$left" indexFlag="{{{{at}}}}" className="strip">
      <View className="face"><Image name="left_{{{{at}}}}" value="$left[{{{{at}}}}]"{NO_CONTROLS}/></View>
    </Repeater>
  </View>
  <Header value="Which of these show someone else? What is chosen already is the machine's view: correct it." size="4"/>
  <Repeater on="$items" indexFlag="{{{{at}}}}" className="cells">
    <View className="cell">
      <View className="face"><Image name="{FACE}{{{{at}}}}" value="$items[{{{{at}}}}].picture"{NO_CONTROLS}/></View>
      <Header value="$items[{{{{at}}}}].words" size="6"/>
      <Choices name="{CELL}{{{{at}}}}" toName="{FACE}{{{{at}}}}" value="$items[{{{{at}}}}].choices"
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
      {KNOWS_QUESTION}
    </View>
    <Header value="$words" size="6"/>
  </View>
  <View className="sides">
    <View className="side">
      <Header value="$left_name" size="4"/>
      <Repeater on="$left" indexFlag="{{{{at}}}}" className="faces">
        <View className="face"><Image name="left_{{{{at}}}}" value="$left[{{{{at}}}}]"{NO_CONTROLS}/></View>
      </Repeater>
    </View>
    <View className="side">
      <Header value="$right_name" size="4"/>
      <Repeater on="$right" indexFlag="{{{{at}}}}" className="faces">
        <View className="face"><Image name="right_{{{{at}}}}" value="$right[{{{{at}}}}]"{NO_CONTROLS}/></View>
      </Repeater>
    </View>
  </View>
</View>""",
}
