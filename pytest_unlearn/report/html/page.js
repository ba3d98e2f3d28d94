(() => {
  const claims = [...document.querySelectorAll("details.claim")];
  const tools = document.querySelector(".tools");
  const filter = tools.querySelector(".filter");
  const verdicts = [...new Set(claims.map(claim => claim.dataset.verdict))];
  if (verdicts.length > 1) for (const verdict of ["all", ...verdicts]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = verdict;
    button.setAttribute("aria-pressed", String(verdict === "all"));
    button.onclick = () => {
      for (const claim of claims) claim.hidden = verdict !== "all" && claim.dataset.verdict !== verdict;
      for (const other of filter.children) other.setAttribute("aria-pressed", String(other === button));
    };
    filter.append(button);
  }
  for (const button of tools.querySelectorAll("[data-fold]"))
    button.onclick = () => { for (const claim of claims) claim.open = button.dataset.fold === "open"; };
  for (const title of document.querySelectorAll("main h2[id]")) {
    const link = document.createElement("a"), item = document.createElement("li");
    link.href = "#" + (title.closest("details.claim") || title).id;
    link.textContent = title.textContent;
    item.append(link);
    tools.querySelector(".contents ul").append(item);
  }
  for (const claim of claims) {
    const copy = document.createElement("button");
    copy.type = "button";
    copy.textContent = "Copy link";
    copy.className = "copy";
    copy.onclick = async () => {
      const address = location.href.split("#")[0] + "#" + claim.id;
      try { await navigator.clipboard.writeText(address); copy.textContent = "Copied"; }
      catch { location.hash = claim.id; }
    };
    claim.querySelector(".where").append(" ", copy);
  }
  const show = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    target.scrollIntoView();
  };
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details.printed:not([open])")];
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of folded) part.open = false; });
  addEventListener("hashchange", show);
  show();
  tools.hidden = false;
})();
