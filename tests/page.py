# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/page.py CHROMIUM PAGE [FOLDER]: what is wrong with the report page as Chromium shows it, a line each.

Light and dark at 1200 and 400 px: contrast of text 4.5:1 and of lines 3:1, axis text of 11 px, labels that do not overlap,
nothing wider than the window.  Keyboard: links, summaries and scrolling regions in the order of the page, with a visible
focus, and summaries open.  Print: two figures fit on a page, and no page but the last is half empty.  No message on the
console.  With FOLDER the screenshots and the PDFs are left there.
"""
import base64
import fcntl
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import zlib

chromium, page = sys.argv[1:3]
folder = sys.argv[3] if len(sys.argv) > 3 else None
profile = tempfile.mkdtemp(dir=os.environ.get("TMPDIR"))
PAPER = {"a4": (8.27, 11.69), "letter": (8.5, 11)}  # inches


class Browser:
    """The protocol of DevTools over a pipe: JSON, each message ending in a zero byte."""

    def __init__(self):
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in os.pipe() + os.pipe()]
        theirs = ends[0], ends[3]
        self.process = subprocess.Popen(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             f"--user-data-dir={profile}", "--remote-debugging-pipe"], pass_fds=(3, 4), env={**os.environ, "HOME": profile},
            preexec_fn=lambda: [os.dup2(end, 3 + i) for i, end in enumerate(theirs)], stderr=subprocess.DEVNULL)
        self.write, self.read, self.rest = ends[1], ends[2], b""
        for fd in theirs:
            os.close(fd)
        self.ids, self.session, self.said = itertools.count(1), None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def message(self):
        while b"\0" not in self.rest:
            more = os.read(self.read, 1 << 20)
            if not more:
                sys.exit("chromium ended")
            self.rest += more
        one, _, self.rest = self.rest.partition(b"\0")
        one = json.loads(one)
        if one.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.said.append(one["params"])
        return one

    def call(self, method, **params):
        number = next(self.ids)
        os.write(self.write, json.dumps({"id": number, "method": method, "params": params,
                                         **({"sessionId": self.session} if self.session else {})}).encode() + b"\0")
        while True:
            one = self.message()
            if one.get("id") == number:
                if "error" in one:
                    sys.exit(f"{method}: {one['error']}")
                return one["result"]

    def script(self, text):
        result = self.call("Runtime.evaluate", expression=text, returnByValue=True)
        return result["result"].get("value") if "exceptionDetails" not in result else sys.exit(str(result))


LOOK = r"""(() => {
const wrong = [], seen = e => e.getClientRects().length > 0;
const rgb = s => (s.match(/[\d.]+/g) || []).map(Number);
const light = c => { const f = c.slice(0, 3).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
const paper = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length == 3 || c[3] > 0) return c; } return [255, 255, 255]; };
/* An SVG's text lies on the last box drawn before it that contains it. */
const behind = e => { const svg = e.closest('svg'), b = e.getBoundingClientRect(), y = (b.top + b.bottom) / 2;
    let c = paper(svg);
    for (const r of svg.querySelectorAll('rect')) { const f = rgb(getComputedStyle(r).fill), q = r.getBoundingClientRect();
        if (f.length == 3 && q.top <= y && y <= q.bottom && q.left <= b.left && b.right <= q.right) c = f; }
    return c; };
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let n; (n = walk.nextNode());) {
    const e = n.parentElement, svg = e.closest('svg');
    if (!n.data.trim() || !seen(e) || e.closest('style')) continue;
    const s = getComputedStyle(e), c = contrast(rgb(svg ? s.fill : s.color), svg ? behind(e) : paper(e));
    if (c < 4.5) wrong.push(`contrast ${c.toFixed(2)} of "${n.data.trim()}"`);
}
for (const e of document.querySelectorAll('svg .line, svg .dots, svg .edge, svg .limit')) {
    const c = contrast(rgb(getComputedStyle(e).stroke), paper(e));
    if (c < 3) wrong.push(`contrast ${c.toFixed(2)} of a line, class ${e.getAttribute('class')}`);
}
for (const svg of document.querySelectorAll('svg')) {
    const boxes = [...svg.querySelectorAll('text')].filter(seen).map(t => [t, t.getBoundingClientRect()]);
    for (const [t] of boxes) { const px = parseFloat(getComputedStyle(t).fontSize) * svg.getScreenCTM().a;
        if (px < 11) wrong.push(`"${t.textContent}" has ${px.toFixed(1)} px`); }
    const figure = svg.closest('figure').getBoundingClientRect();
    boxes.forEach(([t, a], i) => {
        if (!svg.closest('.graph') && (a.left < figure.left - 2 || a.right > figure.right + 2))
            wrong.push(`"${t.textContent}" leaves its figure`);
        for (const [u, b] of boxes.slice(i + 1))
            if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2)
                wrong.push(`"${t.textContent}" overlaps "${u.textContent}"`);
    });
    if (!svg.getAttribute('aria-label')) wrong.push('an SVG without a label');
}
if (document.scrollingElement.scrollWidth > innerWidth)
    wrong.push(`the page is ${document.scrollingElement.scrollWidth} px wide`);
return wrong; })()"""

def press(browser, key, code, **more):
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more)


def keyboard(browser):
    """Tab leads to all links and summaries in the order of the page; Chromium stops at what scrolls, too."""
    wanted = browser.script("window.stops = [...document.querySelectorAll('a[href], summary')]"
                            ".filter(e => e.getClientRects().length); stops.length")
    seen = []
    while len(seen) < wanted:
        press(browser, "Tab", 9)
        where, body, outline = browser.script("(e => [stops.indexOf(e), e == document.body, getComputedStyle(e).outlineStyle])"
                                              "(document.activeElement)")
        if body or where >= 0 and where != len(seen):
            yield f"Tab leads to stop {where} after {len(seen)} of {wanted}"
            return
        if outline == "none":
            yield f"the focus after stop {len(seen)} is not seen"
        seen += [where] if where >= 0 else []
    browser.script("stops.find(e => e.tagName == 'SUMMARY').focus()")
    press(browser, "Enter", 13, text="\r")
    if not browser.script("document.activeElement.parentElement.open"):
        yield "Enter does not open a summary"


def lowest(content, height):
    """The y of the lowest text, from the top as a part of the page's height, by the operators of PDF that move it."""
    low, matrix, saved, numbers = 0, (1, 0, 0, 1, 0, 0), [], []

    def times(a, b):
        return (a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3], a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3],
                a[4] * b[0] + a[5] * b[2] + b[4], a[4] * b[1] + a[5] * b[3] + b[5])
    for token in re.findall(rb"<[^>]*>|\((?:\\.|[^\\)])*\)|[^\s\[\]<>()]+", content):
        try:
            numbers.append(float(token))
            continue
        except ValueError:
            pass
        if token == b"q":
            saved.append(matrix)
        elif token == b"Q":
            matrix = saved.pop()
        elif token == b"cm":
            matrix = times(numbers[-6:], matrix)
        elif token == b"Tm":
            low = max(low, 1 - times(numbers[-6:], matrix)[5] / height)
        numbers = []
    return low


def pages(pdf):
    """For each page of a PDF as Chromium writes it, the part of its height down to the lowest text."""
    objects = dict(re.findall(rb"\n(\d+) 0 obj\n(.*?)\nendobj", pdf, re.S))
    for body in objects.values():
        if re.search(rb"/Type /Page\b", body):
            height = float(re.search(rb"/MediaBox \[\S+ \S+ \S+ (\S+)\]", body)[1])
            stream = objects[re.search(rb"/Contents (\d+) 0 R", body)[1]]
            yield lowest(zlib.decompress(stream.partition(b"stream\n")[2].rpartition(b"\nendstream")[0]), height)


def printed(browser, name, size):
    wide, high = size
    pdf = base64.b64decode(browser.call("Page.printToPDF", paperWidth=wide, paperHeight=high)["data"])
    if folder:
        open(f"{folder}/{name}.pdf", "wb").write(pdf)
    filled = list(pages(pdf))
    print(f"{name}: {len(filled)} pages, filled to", " ".join(f"{part:.0%}" for part in filled), file=sys.stderr)
    if not filled:
        yield f"{name}: no page"
    for number, part in enumerate(filled[:-1], 1):
        if part < 0.5:
            yield f"{name}: page {number} of {len(filled)} ends at {part:.0%}"
    browser.call("Emulation.setDeviceMetricsOverride", width=int(96 * wide - 106), height=1000, deviceScaleFactor=1,
                 mobile=False)
    browser.call("Emulation.setEmulatedMedia", media="print")
    half = (high * 96 - 106) / 2
    for tall in browser.script("[...document.querySelectorAll('figure:not(.graph)')].map(e => e.offsetHeight)"):
        if tall > half:
            yield f"{name}: a figure of {tall} px, {half:.0f} is half a page"
    for cut in browser.script("[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1)"
                              ".map(e => e.textContent.slice(0, 40))"):
        yield f"{name}: the right of {cut!r} is not printed"
    browser.call("Emulation.setEmulatedMedia", media="")


browser = Browser()
for domain in ("Page", "Runtime", "Log"):
    browser.call(f"{domain}.enable")
browser.call("Page.navigate", url="file://" + os.path.abspath(page))
while browser.script("document.readyState") != "complete":
    pass
wrong = []
for width, scheme in itertools.product((1200, 400), ("light", "dark")):
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    for opened in (False, True):
        browser.script(f"document.querySelectorAll('details').forEach(e => e.open = {str(opened).lower()})")
        wrong += [f"{width} px, {scheme}: {line}" for line in browser.script(LOOK)]
        if folder and not opened:
            tall = browser.script("document.documentElement.scrollHeight")
            shot = browser.call("Page.captureScreenshot", captureBeyondViewport=True,
                                clip={"x": 0, "y": 0, "width": width, "height": tall, "scale": 1})
            open(f"{folder}/{width}-{scheme}.png", "wb").write(base64.b64decode(shot["data"]))
    browser.script("document.querySelectorAll('details').forEach(e => e.open = false)")
wrong += keyboard(browser)
browser.call("Emulation.setEmulatedMedia", features=[])
for name, size in PAPER.items():
    wrong += printed(browser, name, size)
wrong += [f"console: {said}" for said in browser.said]
browser.call("Browser.close") if browser.session is None else browser.process.terminate()
browser.process.wait()
print("\n".join(dict.fromkeys(wrong)))
sys.exit(bool(wrong))
