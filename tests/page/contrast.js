// Every visible text and drawn state of the page with less contrast than WCAG 2.2 asks (1.4.3, 1.4.11), as
// "ratio needed: what". An expression: its value is {measured: {text, drawn}, faults}.
(() => {
  const channels = (color) => {
    const [red, green, blue, alpha = 1] = color.match(/[\d.]+/g).map(Number);
    return { rgb: [red, green, blue], alpha };
  };
  const luminance = (rgb) => {
    const [red, green, blue] = rgb.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ratio = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    for (let node = element; node; node = node.parentElement) {
      const { rgb, alpha } = channels(getComputedStyle(node).backgroundColor);
      if (alpha === 1) return rgb;
      if (alpha !== 0) throw new Error(`half-transparent background: ${node.outerHTML.slice(0, 80)}`);
    }
    throw new Error("nothing opaque behind");
  };
  const visible = (element) => element.checkVisibility() && element.getClientRects().length > 0
    && !element.closest(".unseen, .skip, [disabled]");
  const faults = [];
  const measured = { text: 0, drawn: 0 };
  const check = (kind, color, background, needed, what) => {
    measured[kind] += 1;
    const found = ratio(channels(color).rgb, background);
    if (found < needed) faults.push(`${found.toFixed(2)} < ${needed}: ${what.slice(0, 120)}`);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !visible(element)) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    check("text", style.color, behind(element), large ? 3 : 4.5, element.outerHTML);
  }
  for (const field of document.querySelectorAll("input[placeholder]")) {
    check("text", getComputedStyle(field, "::placeholder").color, behind(field), 4.5, field.outerHTML);
  }
  for (const field of document.querySelectorAll("input[type=search], select, button")) {
    check("drawn", getComputedStyle(field).borderTopColor, behind(field.parentElement), 3, field.outerHTML);
  }
  for (const icon of document.querySelectorAll("svg.icon")) {
    if (visible(icon)) check("drawn", getComputedStyle(icon).color, behind(icon.parentElement), 3, icon.parentElement.outerHTML);
  }
  for (const cell of document.querySelectorAll(".strip i[class]")) {
    const { backgroundColor, boxShadow } = getComputedStyle(cell);
    const edge = channels(backgroundColor).alpha === 0 ? boxShadow.match(/rgb\([^)]*\)/)[0] : backgroundColor;
    check("drawn", edge, behind(cell.parentElement), 3, cell.outerHTML);
  }
  return { measured, faults };
})()
