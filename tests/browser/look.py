"""What a page's looks can be measured by: boxes of text, and the rules of axe-core."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.browser.page import Browser

AXE = Path(__file__).parents[2] / ".venv/axe/node_modules/axe-core/axe.min.js"
UNFOLD = "[...document.querySelectorAll('details')].map(part => part.open = true).length"

# Text that is cut off by its box, by the screen or by its picture, and texts of one picture that lie on each other or
# on a mark of data. Each is (what, text, ...).
FAULTS = """(() => {
  const faults = [], wide = document.documentElement.clientWidth;
  const seen = e => e.checkVisibility({contentVisibilityAuto: true, visibilityProperty: true})
    && !e.closest('.hidden, .skip');
  const apart = (a, b) => a.right <= b.left + .5 || b.right <= a.left + .5
    || a.bottom <= b.top + .5 || b.bottom <= a.top + .5;
  const inside = (a, b) => a.left >= b.left - .5 && a.right <= b.right + .5
    && a.top >= b.top - .5 && a.bottom <= b.bottom + .5;
  const unseen = ['SCRIPT', 'STYLE', 'TITLE', 'title', 'desc'];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walker.nextNode();) {
    const parent = node.parentElement;
    if (!node.data.trim() || unseen.includes(parent.tagName) || !seen(parent) || parent.closest('.scroll')) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (box.width && (box.left < -.5 || box.right > wide + .5))
      faults.push(['beyond the screen', node.data.trim().slice(0, 60), box.left, box.right]);
  }
  for (const e of document.querySelectorAll('body *')) {
    if (e.closest('svg, .scroll, .hidden, .skip') || !seen(e)) continue;
    if (getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1)
      faults.push(['cut off', e.tagName, e.className, e.textContent.trim().slice(0, 60)]);
  }
  const crosses = (line, box) => {
    const matrix = line.getScreenCTM(), long = line.getTotalLength();
    for (let s = 0; s <= long; s += 2) {
      const {x, y} = line.getPointAtLength(s);
      const [left, top] = [matrix.a * x + matrix.e, matrix.d * y + matrix.f];
      if (left > box.left && left < box.right && top > box.top + 2 && top < box.bottom - 2) return true;
    }
    return false;
  };
  for (const svg of document.querySelectorAll('svg')) {
    if (!seen(svg)) continue;
    const texts = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
    const marks = [...svg.querySelectorAll('.m, .l:not(.axis), .filled')];
    texts.forEach(([words, box], k) => {
      if (!inside(box, svg.getBoundingClientRect())) faults.push(['outside its picture', words]);
      for (const [other, theirs] of texts.slice(k + 1))
        if (!apart(box, theirs)) faults.push(['on each other', words, other]);
      for (const mark of marks) if (!apart(box, mark.getBoundingClientRect())
        && (!mark.matches('.l, .filled') || crosses(mark, box)))
        faults.push(['on data', words, mark.getAttribute('class'), svg.querySelector('title').textContent]);
    });
  }
  return faults;
})()"""


def violations(browser: Browser) -> list[Any]:
    """What axe-core objects to in the page that is open; skips where it is not installed."""
    if not AXE.exists():
        sentence = f"axe-core is not in {AXE.parent}: `make test-processes` installs it where npm is there"
        pytest.fail(sentence) if os.environ.get("AXE_REQUIRED") else pytest.skip(sentence)
    browser.driver.execute_script(AXE.read_text())
    found: list[Any] = browser.driver.execute_async_script(
        "const done = arguments[arguments.length - 1]; axe.run(document, {resultTypes: ['violations']})"
        ".then(r => done(r.violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html.slice(0, 160))])))"
    )
    return found
