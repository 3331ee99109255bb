// Whose face is in a photo that is dropped on the page. The photo goes to the gallery on this machine and is not kept.

import { keyHeader } from "./change_key.js";
import { faceImage, fill, h, nameLink, number, Refused } from "./dom.js";

export async function findPage(page) {
  let shown = "";
  const results = h("div", { "aria-live": "polite" });
  const input = h("input", { type: "file", accept: "image/*", id: "photo" });
  const drop = h("div", { class: "drop" }, h("label", { for: "photo" }, "Drop a photo here, paste one, or choose its file"), input);
  const search = async (file) => {
    if (!file) return;
    URL.revokeObjectURL(shown);
    shown = URL.createObjectURL(file);
    const photo = h("img", { src: shown, alt: "the photo that is looked for", class: "query" });
    fill(results, photo, h("p", { class: "soft" }, "Comparing with all persons … ", h("progress", { "aria-label": "working" })));
    try {
      const answer = await fetch("/api/find", { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream", ...keyHeader() } });
      const found = await answer.json();
      if (!answer.ok) throw new Refused(found.error, answer.status);
      fill(results, photo, h("p", {}, `${found.faces} ${found.faces === 1 ? "face" : "faces"} in the photo; the main one is most like:`),
        h("ol", { class: "people" }, found.persons.map((p) => h("li", {}, faceImage(p.medoid, "", 56), h("span", {}, nameLink(p.name), h("span", { class: "soft" }, ` score ${number(p.score)}`))))));
    } catch (error) {
      fill(results, photo, h("p", { class: "error", role: "alert" }, error.message));
    }
  };
  input.addEventListener("change", () => search(input.files[0]));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); search(event.dataTransfer.files[0]); });
  const paste = (event) => search([...(event.clipboardData?.files ?? [])][0]);
  document.addEventListener("paste", paste);
  fill(page, h("h1", {}, "Find"), h("p", { class: "soft" }, "The photo is compared on this machine by the models of the refinement, and is not kept."), drop, results);
  return { leave: () => { document.removeEventListener("paste", paste); URL.revokeObjectURL(shown); } };
}
